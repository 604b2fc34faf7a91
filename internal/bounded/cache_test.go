package bounded_test

import (
	"sync"
	"testing"

	"github.com/dictum/dictum/internal/bounded"
)

func TestCacheNeverExceedsTwoGenerations(t *testing.T) {
	c := bounded.NewCache[int, int](10)
	for i := range 1000 {
		c.Put(i, i)
		if n := c.Len(); n > 20 {
			t.Fatalf("after %d entries the cache holds %d", i+1, n)
		}
	}
}

func TestCacheKeepsWhatIsRead(t *testing.T) {
	c := bounded.NewCache[int, int](10)
	c.Put(-1, 42)
	for i := range 1000 {
		c.Put(i, i)
		if v, ok := c.Get(-1); !ok || v != 42 {
			t.Fatalf("entry that is read after each write is gone after %d writes", i+1)
		}
	}
	c.Delete(-1)
	if _, ok := c.Get(-1); ok {
		t.Error("deleted entry is still there")
	}
	c.Clear()
	if n := c.Len(); n != 0 {
		t.Errorf("cleared cache holds %d entries", n)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	c := bounded.NewCache[int, int](8)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				c.Put(i%32, i)
				c.Get((i + g) % 32)
				if i%100 == 0 {
					c.Delete(i % 32)
				}
			}
		})
	}
	wg.Wait()
	if n := c.Len(); n > 16 {
		t.Errorf("cache holds %d entries", n)
	}
}
