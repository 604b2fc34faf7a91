package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"
)

// progress shows how far a set of files has come: a bar with speed and time left on a
// terminal, nothing elsewhere. It is safe for concurrent use.
type progress struct {
	out io.Writer
	bar *pb.ProgressBar // nil where there is no terminal

	mu    sync.Mutex // guards the fields below and the bar's totals
	began time.Time
	total time.Duration
	at    time.Duration
}

// barTemplate shows done and total media time, a bar, the speed against real time and the time left.
const barTemplate pb.ProgressBarTemplate = `{{string . "media"}} {{bar . "[" "=" ">" " " "]"}} {{percent .}} {{string . "speed"}} {{string . "left"}}`

func newProgress(out io.Writer, quiet bool) *progress {
	p := &progress{out: out, began: time.Now()}
	file, ok := out.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	p.bar = barTemplate.New(0).SetWriter(out).SetRefreshRate(200 * time.Millisecond)
	p.bar.Start()
	return p
}

// track follows one file.
type track struct {
	p        *progress
	duration time.Duration
	reached  time.Duration
}

// file adds a file of this length (0 when unknown) to the total.
func (p *progress) file(duration time.Duration) *track {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += duration
	p.show()
	return &track{p: p, duration: duration}
}

// at tells that the file is done up to position.
func (t *track) at(position time.Duration) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.move(position)
}

// done tells that no more will come.
func (t *track) done() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.move(t.duration)
}

// move is called with the mutex held.
func (t *track) move(position time.Duration) {
	if position < t.reached {
		return
	}
	if position > t.duration { // the container did not say, or said too little
		t.p.total += position - t.duration
		t.duration = position
	}
	t.p.at += position - t.reached
	t.reached = position
	t.p.show()
}

// show is called with the mutex held.
func (p *progress) show() {
	if p.bar == nil {
		return
	}
	p.bar.SetTotal(p.total.Milliseconds())
	p.bar.SetCurrent(p.at.Milliseconds())
	p.bar.Set("media", clock(p.at)+" / "+clock(p.total))
	if spent := time.Since(p.began); p.at > 0 && spent > 0 {
		speed := p.at.Seconds() / spent.Seconds()
		p.bar.Set("speed", fmt.Sprintf("%.1fx", speed))
		left := time.Duration((p.total - p.at).Seconds() / speed * float64(time.Second))
		p.bar.Set("left", clock(left)+" left")
	}
}

// message prints a line without tearing the bar.
func (p *progress) message(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		text = "\r\x1b[K" + text
	}
	fmt.Fprintln(p.out, text)
}

func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Finish()
	}
}

func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
