// Package bounded holds a map that cannot grow without limit, for what outsiders can make us
// remember. Start at Cache.
package bounded

import "sync"

// Cache is a map of at most 2n entries. It keeps two generations: when the young one holds n
// entries it becomes the old one, and the old one is dropped; an entry that is read in time moves
// back. That is nearly least-recently-used at the price of a map read. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	n int

	mu         sync.RWMutex // guards young and old
	young, old map[K]V
}

// NewCache returns a cache whose generations hold n entries.
func NewCache[K comparable, V any](n int) *Cache[K, V] {
	return &Cache[K, V]{n: n, young: make(map[K]V), old: map[K]V{}}
}

// Get returns the entry for key, if it is still there.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.RLock()
	v, ok := c.young[key]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.old[key]
	c.mu.RUnlock()
	if !ok {
		return v, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Another goroutine may have deleted or moved it between the locks.
	if v, ok = c.old[key]; ok {
		delete(c.old, key)
		c.put(key, v)
		return v, true
	}
	v, ok = c.young[key]
	return v, ok
}

// Put stores an entry.
func (c *Cache[K, V]) Put(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.old, key)
	c.put(key, v)
}

func (c *Cache[K, V]) put(key K, v V) {
	if len(c.young) >= c.n {
		if _, there := c.young[key]; !there {
			c.old, c.young = c.young, make(map[K]V)
		}
	}
	c.young[key] = v
}

// Delete forgets an entry.
func (c *Cache[K, V]) Delete(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, key)
	delete(c.old, key)
}

// Clear forgets everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.young)
	clear(c.old)
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
