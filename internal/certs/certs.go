// Package certs has the certificates of listeners. Source serves TLS from files and takes up new ones while it
// runs. Init makes the files for an installation that has none: a small authority and one server certificate
// signed by it. Start at Open or Init.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// serverLife stays under the 825 days that current TLS clients accept of a server certificate.
	serverLife = 820 * 24 * time.Hour
)

// ErrExists means that the folder already holds certificates.
var ErrExists = errors.New("certificates exist already")

// Files are the PEM files of an installation.
type Files struct {
	// Authority is what clients must trust (AWS_CA_BUNDLE).
	Authority string
	// Certificate is the server's, Key its private key (mode 0600).
	Certificate, Key string
}

// In names the files in dir, whether they exist or not.
func In(dir string) Files {
	return Files{
		Authority:   filepath.Join(dir, "ca.pem"),
		Certificate: filepath.Join(dir, "server.pem"),
		Key:         filepath.Join(dir, "server.key"),
	}
}

// Exist tells whether the server certificate and its key are there.
func (f Files) Exist() bool {
	for _, name := range []string{f.Certificate, f.Key} {
		if _, err := os.Stat(name); err != nil {
			return false
		}
	}
	return true
}

// Init makes an authority and a server certificate for the hosts (names or addresses) in dir.
// The authority's private key is used once and not kept, so nobody can sign with it later;
// new hosts need a new Init with replace. Without replace it returns ErrExists.
func Init(dir string, hosts []string, replace bool, now time.Time) (Files, error) {
	files := In(dir)
	if files.Exist() && !replace {
		return files, fmt.Errorf("%s: %w", dir, ErrExists)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, fmt.Errorf("make certificate folder: %w", err)
	}
	authority, authorityKey, err := issue(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "Dictum authority of " + hosts[0]},
		NotAfter:              now.Add(authorityLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, nil, now)
	if err != nil {
		return files, fmt.Errorf("issue authority certificate: %w", err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotAfter:    now.Add(serverLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h)
	}
	server, serverKey, err := issue(template, authority, authorityKey, now)
	if err != nil {
		return files, fmt.Errorf("issue server certificate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return files, fmt.Errorf("encode server key: %w", err)
	}
	return files, errors.Join(
		writePEM(files.Authority, "CERTIFICATE", authority.Raw, 0o644),
		writePEM(files.Certificate, "CERTIFICATE", server.Raw, 0o644),
		writePEM(files.Key, "PRIVATE KEY", der, 0o600),
	)
}

// issue signs template with the parent's key, or with its own when parent is nil.
func issue(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template.NotBefore = now.Add(-time.Hour) // clients' clocks differ a little
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func writePEM(name, kind string, der []byte, mode os.FileMode) error {
	_ = os.Remove(name) // so that an existing file's wider mode does not stay
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}
