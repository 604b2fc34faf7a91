package iam

import (
	"encoding/base64"
	"slices"
)

// Paging is how a list is asked for.
type Paging struct {
	Marker   *string
	MaxItems *int32
}

// Page is what lists answer with beside their elements.
type Page struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// defaultPage is how many elements a list has when the request does not say.
const defaultPage = 100

// cut returns the part of a list that was asked for. The elements are ordered by key, which none share; a marker
// names the last one shown, so that what is added or removed meanwhile shifts no page.
func cut[T any](items []T, p Paging, key func(T) string) ([]T, Page, error) {
	if p.Marker != nil {
		last, err := base64.RawURLEncoding.DecodeString(*p.Marker)
		if err != nil || len(last) == 0 {
			return nil, Page{}, invalid("Invalid Marker.")
		}
		at := slices.IndexFunc(items, func(item T) bool { return key(item) > string(last) })
		if at < 0 {
			at = len(items)
		}
		items = items[at:]
	}
	limit := defaultPage
	if p.MaxItems != nil {
		limit = int(*p.MaxItems) // 1 to 1000, by the model
	}
	if len(items) <= limit {
		return items, Page{}, nil
	}
	items = items[:limit]
	return items, Page{IsTruncated: true, Marker: base64.RawURLEncoding.EncodeToString([]byte(key(items[limit-1])))}, nil
}

func itself(s string) string { return s }
