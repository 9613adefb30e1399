// Verifies an access token and prints its user's id: verify_token SERVER ISSUER [AUDIENCE] < token
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Claims are the claims of a token.
type Claims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	UserID    string `json:"sub"`
	SessionID string `json:"sid"`
	ExpiresAt int64  `json:"exp"`
}

// Verifier verifies access tokens with the public keys of a server. Create one and keep it: it caches the keys.
type Verifier struct {
	server, issuer, audience string
	client                   http.Client
	mutex                    sync.Mutex
	keys                     map[string]ed25519.PublicKey
	fetchedAt                time.Time
}

// NewVerifier returns a verifier. It fetches no keys yet.
func NewVerifier(server, issuer, audience string) *Verifier {
	client := http.Client{Timeout: 5 * time.Second}
	return &Verifier{server: server, issuer: issuer, audience: audience, client: client}
}

var errRefused = errors.New("this is not a valid access token")

// Verify returns the token's claims, or an error if it is not valid.
func (v *Verifier) Verify(token string) (*Claims, error) {
	parts := strings.Split(token, ".")
	var header struct{ Alg, Typ, Kid string }
	if len(parts) != 3 || decode(parts[0], &header) != nil || header.Alg != "EdDSA" || header.Typ != "at+jwt" {
		return nil, errRefused
	}
	key, err := v.key(header.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errRefused
	}
	claims := new(Claims)
	if decode(parts[1], claims) != nil || claims.Issuer != v.issuer || claims.Audience != v.audience ||
		claims.ExpiresAt <= time.Now().Unix() || claims.UserID == "" || claims.SessionID == "" {
		return nil, errRefused
	}
	return claims, nil
}

// key returns the key with this id. Keys are fetched when they are five minutes old, or for an unknown id when they are five
// seconds old: anyone can invent an id.
func (v *Verifier) key(kid string) (ed25519.PublicKey, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	age := time.Since(v.fetchedAt)
	if _, known := v.keys[kid]; age > 5*time.Minute || (!known && age > 5*time.Second) {
		if err := v.fetch(); err != nil {
			return nil, err
		}
	}
	if key, known := v.keys[kid]; known {
		return key, nil
	}
	return nil, errRefused
}

func (v *Verifier) fetch() error {
	answer, err := v.client.Get(v.server + "/.well-known/jwks.json")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X string }
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New("cannot fetch the keys: " + answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set); err != nil {
		return err
	}
	keys := make(map[string]ed25519.PublicKey)
	for _, key := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if key.Kty == "OKP" && key.Crv == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
			keys[key.Kid] = x
		}
	}
	v.keys, v.fetchedAt = keys, time.Now()
	return nil
}

func decode(part string, into any) error {
	bytes, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}

func main() {
	token, err := io.ReadAll(os.Stdin)
	if err == nil && len(os.Args) >= 3 {
		audience := os.Args[len(os.Args)-1] // the issuer, unless an audience follows it
		var claims *Claims
		verifier := NewVerifier(os.Args[1], os.Args[2], audience)
		if claims, err = verifier.Verify(strings.TrimSpace(string(token))); err == nil {
			fmt.Println(claims.UserID)
			return
		}
	}
	fmt.Fprintln(os.Stderr, "refused:", err)
	os.Exit(1)
}
