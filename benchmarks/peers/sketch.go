// A link shortener as one would first write it in Go, cut to its redirect: the peer of benchmarks/redirect.py.
//
// A map of links behind a reader-writer lock; each hit starts a goroutine that counts the click under the same
// lock; net/http does the rest. Nothing is written to disk, so it does less than what it is compared with.
//
//	sketch ADDRESS CODE URL
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type entry struct {
	url     string
	expires *time.Time
	clicks  int64
	last    time.Time
}

type store struct {
	sync.RWMutex
	entries map[string]*entry
}

func (s *store) find(code string) (string, bool) {
	s.RLock()
	defer s.RUnlock()
	e, found := s.entries[code]
	if !found {
		return "", false
	}
	if e.expires != nil && e.expires.Before(time.Now()) {
		return "", false
	}
	go s.click(code)
	return e.url, true
}

func (s *store) click(code string) {
	s.Lock()
	defer s.Unlock()
	if e, found := s.entries[code]; found {
		e.clicks++
		e.last = time.Now()
	}
}

func main() {
	s := &store{entries: map[string]*entry{os.Args[2]: {url: os.Args[3]}}}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		url, found := s.find(strings.TrimPrefix(r.URL.Path, "/"))
		if found {
			http.Redirect(w, r, url, http.StatusFound)
		} else {
			http.NotFound(w, r)
		}
	}
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(redirect)))
}
