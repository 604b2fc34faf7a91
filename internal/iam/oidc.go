package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"
)

// issuerName is an issuer's URL as ARNs have it.
func issuerName(issuer string) string { return strings.TrimPrefix(issuer, "https://") }

// CreateProvider makes the account trust an issuer. The URL is https://host[:port][/path].
func (d *Directory) CreateProvider(ctx context.Context, accountID, issuer string, clientIDs, thumbprints []string, tags Tags) (p OIDCProvider, err error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return p, refuse(ErrInvalidInput, "Invalid Open ID Connect Provider URL: it must begin with https:// and have no user, query or fragment.")
	}
	err = d.update(ctx, accountID, func(c *change) error {
		p = OIDCProvider{AccountID: accountID, URL: issuerName(issuer), Created: c.now, Tags: tags}
		if _, taken := c.providers[p.ARN()]; taken {
			return refuse(ErrExists, "Provider with url %s already exists.", issuer)
		}
		if len(c.providers) >= maxProviders {
			return overQuota("OpenIdConnectProvidersPerAccount", maxProviders)
		}
		if err := checkTags(tags); err != nil {
			return err
		}
		for _, id := range clientIDs {
			if !slices.Contains(p.ClientIDs, id) {
				p.ClientIDs = append(p.ClientIDs, id)
			}
		}
		if len(p.ClientIDs) > maxClientIDs {
			return overQuota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
		}
		if err := p.setThumbprints(thumbprints); err != nil {
			return err
		}
		set(c, c.providers, p.ARN(), p)
		return nil
	})
	return p, err
}

func (p *OIDCProvider) setThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return refuse(ErrInvalidInput, "Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	}
	p.Thumbprints = nil
	for _, t := range list {
		if len(t) != 40 || strings.Trim(strings.ToLower(t), "0123456789abcdef") != "" {
			return refuse(ErrInvalidInput, "Invalid thumbprint %s: it must be 40 hexadecimal digits.", t)
		}
		p.Thumbprints = append(p.Thumbprints, strings.ToLower(t))
	}
	return nil
}

func (d *Directory) provider(ctx context.Context, accountID, arn string, f func(*OIDCProvider) error) error {
	return d.update(ctx, accountID, func(c *change) error {
		p, err := c.Provider(arn)
		if err != nil {
			return err
		}
		p = p.clone()
		if err := f(&p); err != nil {
			return err
		}
		set(c, c.providers, arn, p)
		return nil
	})
}

// SetThumbprints replaces the certificate thumbprints of a provider.
func (d *Directory) SetThumbprints(ctx context.Context, accountID, arn string, thumbprints []string) error {
	return d.provider(ctx, accountID, arn, func(p *OIDCProvider) error { return p.setThumbprints(thumbprints) })
}

// SetClientID lets a client id (an audience) in, or takes it away. Doing so again changes nothing.
func (d *Directory) SetClientID(ctx context.Context, accountID, arn, clientID string, known bool) error {
	return d.provider(ctx, accountID, arn, func(p *OIDCProvider) error {
		at := slices.Index(p.ClientIDs, clientID)
		switch {
		case known && at < 0 && len(p.ClientIDs) >= maxClientIDs:
			return overQuota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
		case known && at < 0:
			p.ClientIDs = append(p.ClientIDs, clientID)
		case !known && at >= 0:
			p.ClientIDs = slices.Delete(p.ClientIDs, at, at+1)
		}
		return nil
	})
}

// DeleteProvider makes the account trust an issuer no more. Removing one that is not there is no error.
func (d *Directory) DeleteProvider(ctx context.Context, accountID, arn string) error {
	return d.update(ctx, accountID, func(c *change) error {
		unset(c, c.providers, arn)
		return nil
	})
}
