package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestWhisperLeavesTheProcessorsToOthersOfTheProcess(t *testing.T) {
	loaded(t)
	tasks, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	counts := make(map[int]int)
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if os.IsNotExist(err) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		// The 19th field, and the second is a name in brackets; proc_pid_stat(5).
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		niceness, err := strconv.Atoi(fields[16])
		if err != nil {
			t.Fatal(err)
		}
		counts[niceness]++
	}
	usual := 20
	for niceness := range counts {
		usual = min(usual, niceness)
	}
	// The runner's thread, and one more of each graph of the model.
	if nicer := counts[min(usual+5, 19)]; nicer < 2 || counts[usual] < 2 || len(counts) != 2 {
		t.Errorf("threads by niceness: %v", counts)
	}
}
