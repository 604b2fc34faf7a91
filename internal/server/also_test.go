package server_test

import (
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/server"
)

func TestFurtherAddressOfTheAPI(t *testing.T) {
	t.Run("it is there when asked for, with the API's networks", func(t *testing.T) {
		c := config(t)
		c.APIAlso, c.APIAllow = "127.0.0.1:0", []string{"127.0.0.2/32"}
		l := listen(t, c)
		if _, err := get(t, l.Also, "127.0.0.2"); err != nil || l.Also == l.API {
			t.Errorf("%s beside %s: %v", l.Also, l.API, err)
		}
		if _, err := get(t, l.Also, "127.0.0.1"); err == nil {
			t.Error("a network that the API does not allow is answered")
		}
	})
	t.Run("it keeps the rule of TLS", func(t *testing.T) {
		c := config(t)
		c.APIAlso = "0.0.0.0:0"
		if _, err := server.Listen(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--allow-plaintext") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("there is none by default", func(t *testing.T) {
		if l := listen(t, config(t)); l.Also != "" {
			t.Errorf("it is at %s", l.Also)
		}
	})
}
