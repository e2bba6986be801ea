//! Access tokens: JSON Web Tokens signed by ES256 with a key of the data folder.
//!
//! One algorithm for all keys: a token that names another is refused before its signature is
//! looked at. Audience, issuer and times are checked by the surface, which owns the clock.
//!
//! A key signs for a month; then the next one is made. Of the old one only its public half stays,
//! until the last token that it signed has ended.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_arm::token::{Claims, TOKEN_BYTES_MAX, TOKEN_SECS_MAX, TokenFault, Tokens};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PublicKeyData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data_dir::{DataDir, replace_secret, write_secret};

/// Seconds for which a key signs.
const SIGNS_SECS: i64 = 30 * 24 * 3600;

/// Tells the time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Signs and checks tokens.
pub(crate) struct Signer {
    folder: PathBuf,
    clock: Clock,
    keys: RwLock<Keys>,
}

struct Keys {
    encoding: EncodingKey,
    public: PublicKey,
    book: Book,
}

/// What stands beside the key: since when it signs, and the public halves of those before it.
#[derive(Clone, Serialize, Deserialize)]
struct Book {
    /// Name of the key that signs.
    kid: String,
    /// Seconds since 1970 since when it does.
    since: i64,
    #[serde(default)]
    old: Vec<OldKey>,
}

#[derive(Clone, Serialize, Deserialize)]
struct OldKey {
    key: PublicKey,
    /// Seconds since 1970 after which no token of it is good.
    until: i64,
}

/// A point of P-256 with the name that follows from it.
#[derive(Clone, Serialize, Deserialize)]
struct PublicKey {
    kid: String,
    x: String,
    y: String,
}

impl PublicKey {
    fn of(key: &KeyPair) -> anyhow::Result<Self> {
        // An uncompressed point: 4, then 32 bytes each of x and y.
        let point = key.der_bytes();
        let &[4, ref xy @ ..] = point else { anyhow::bail!("the key of tokens is not of P-256") };
        anyhow::ensure!(xy.len() == 64, "the key of tokens is not of P-256");
        let (x, y) = xy.split_at(32);
        Ok(Self {
            kid: URL_SAFE_NO_PAD.encode(&blake_of(point)[..16]),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        })
    }

    fn jwk(&self) -> Value {
        json!({
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self.kid,
            "x": self.x,
            "y": self.y,
        })
    }
}

impl Signer {
    /// Loads the key of the data folder, or makes it.
    pub(crate) fn open(data: &DataDir, clock: Clock) -> anyhow::Result<Signer> {
        let folder = data.keys();
        let path = folder.join("tokens.key");
        if !path.exists() {
            make_key(&path)?;
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let key = KeyPair::from_pem(&text).with_context(|| format!("read {}", path.display()))?;
        let public = PublicKey::of(&key)?;
        let now = clock().as_second();
        let book = read_book(&folder, &public.kid, now)?;
        let encoding = EncodingKey::from_ec_der(key.serialized_der());
        Ok(Signer { folder, clock, keys: RwLock::new(Keys { encoding, public, book }) })
    }

    /// Lets the next key sign when this one did for long enough.
    fn rotate_when_due(&self, now: i64) -> anyhow::Result<()> {
        let due = |keys: &Keys| now.saturating_sub(keys.book.since) >= SIGNS_SECS;
        if !due(&self.keys.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if !due(&keys) {
            return Ok(());
        }
        let path = self.folder.join("tokens.key");
        let key = KeyPair::generate().context("make the next key of tokens")?;
        let public = PublicKey::of(&key)?;
        let mut old = keys.book.old.clone();
        old.retain(|it| it.until > now);
        old.push(OldKey { key: keys.public.clone(), until: now.saturating_add(TOKEN_SECS_MAX) });
        let book = Book { kid: public.kid.clone(), since: now, old };
        // The book first: a crash between the two leaves the old key signing, and good.
        write_book(&self.folder, &book)?;
        replace_secret(&path, key.serialize_pem().as_bytes())
            .with_context(|| format!("write {}", path.display()))?;
        tracing::info!(kid = %book.kid, "the next key signs tokens");
        *keys = Keys { encoding: EncodingKey::from_ec_der(key.serialized_der()), public, book };
        Ok(())
    }
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let key = KeyPair::generate().context("make the key of tokens")?;
    write_secret(path, key.serialize_pem().as_bytes())
        .with_context(|| format!("write {}", path.display()))
}

fn book_path(folder: &Path) -> PathBuf {
    folder.join("tokens.json")
}

/// The book of a key; a key that is in none begins now.
fn read_book(folder: &Path, kid: &str, now: i64) -> anyhow::Result<Book> {
    let path = book_path(folder);
    let old = match std::fs::read(&path) {
        Ok(bytes) => {
            let book: Book = serde_json::from_slice(&bytes).with_context(|| {
                format!("read {}; remove it when it is damaged", path.display())
            })?;
            if book.kid == kid {
                return Ok(book);
            }
            book.old
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let book = Book { kid: kid.to_owned(), since: now, old };
    write_book(folder, &book)?;
    Ok(book)
}

fn write_book(folder: &Path, book: &Book) -> anyhow::Result<()> {
    let path = book_path(folder);
    let bytes = serde_json::to_vec_pretty(book).context("write the book of keys")?;
    replace_secret(&path, &bytes).with_context(|| format!("write {}", path.display()))
}

/// A name for the key that follows from it.
fn blake_of(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

impl Tokens for Signer {
    fn issue(&self, claims: &Claims) -> Result<String, TokenFault> {
        if let Err(error) = self.rotate_when_due((self.clock)().as_second()) {
            // The key that is there goes on signing; the next token tries again.
            tracing::error!(error = format!("{error:#}"), "the key of tokens was not changed");
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let header = Header { kid: Some(keys.public.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &keys.encoding)
            .map_err(|error| TokenFault::Key(error.to_string()))
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Invalid)?;
        let now = (self.clock)().as_second();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let living = keys.book.old.iter().filter(|it| it.until > now).map(|it| &it.key);
        let key = std::iter::once(&keys.public)
            .chain(living)
            .find(|key| header.kid.as_ref() == Some(&key.kid))
            .ok_or(TokenFault::Invalid)?;
        let decoding = DecodingKey::from_ec_components(&key.x, &key.y)
            .map_err(|error| TokenFault::Key(error.to_string()))?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        jsonwebtoken::decode(token, &decoding, &validation)
            .map(|token| token.claims)
            .map_err(|_| TokenFault::Invalid)
    }

    fn jwks(&self) -> Value {
        let now = (self.clock)().as_second();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let living = keys.book.old.iter().filter(|it| it.until > now).map(|it| it.key.jwk());
        let all: Vec<Value> = std::iter::once(keys.public.jwk()).chain(living).collect();
        json!({ "keys": all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://h/adfs".into(),
            aud: "https://h/".into(),
            sub: "s".into(),
            oid: "o".into(),
            tid: "t".into(),
            appid: "a".into(),
            name: "n".into(),
            iat: 1,
            nbf: 1,
            exp: 2,
            preferred_username: None,
            upn: None,
        }
    }

    /// A data folder, and a clock that stands where it is put.
    struct Stand {
        data: DataDir,
        now: Arc<std::sync::atomic::AtomicI64>,
        _folder: tempfile::TempDir,
    }

    impl Stand {
        fn new() -> Stand {
            let folder = tempfile::tempdir().unwrap();
            let data = DataDir::open(folder.path()).unwrap();
            Stand { data, now: Arc::new(1_000_000.into()), _folder: folder }
        }

        fn open(&self) -> Signer {
            let now = Arc::clone(&self.now);
            let clock = move || {
                let seconds = now.load(std::sync::atomic::Ordering::Relaxed);
                Timestamp::from_second(seconds).unwrap()
            };
            Signer::open(&self.data, Arc::new(clock)).unwrap()
        }

        fn pass(&self, seconds: i64) {
            self.now.fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn count(signer: &Signer) -> usize {
        signer.jwks()["keys"].as_array().unwrap().len()
    }

    fn signer() -> Signer {
        Stand::new().open()
    }

    #[test]
    fn the_next_key_signs_after_a_month_and_old_tokens_stay_good_until_they_end() {
        let stand = Stand::new();
        let signer = stand.open();
        stand.pass(SIGNS_SECS - 1);
        let old = signer.issue(&claims()).unwrap();
        assert_eq!(count(&signer), 1);
        stand.pass(1);
        let new = signer.issue(&claims()).unwrap();
        assert_eq!(count(&signer), 2);
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        assert_ne!(kid(&old), kid(&new));
        // A restart forgets neither.
        drop(signer);
        let signer = stand.open();
        assert!(signer.verify(&old).is_ok() && signer.verify(&new).is_ok());
        assert_eq!(signer.jwks()["keys"][0]["kid"], kid(&new).as_str());
        stand.pass(TOKEN_SECS_MAX);
        assert!(signer.verify(&old).is_err(), "every token of the old key has ended");
        assert!(signer.verify(&new).is_ok());
        assert_eq!(count(&signer), 1);
    }

    #[test]
    fn a_crash_between_book_and_key_loses_no_token() {
        let stand = Stand::new();
        let signer = stand.open();
        let token = signer.issue(&claims()).unwrap();
        let key = std::fs::read(stand.data.keys().join("tokens.key")).unwrap();
        stand.pass(SIGNS_SECS);
        signer.issue(&claims()).unwrap();
        // The book names the next key, the file still holds the old one.
        std::fs::write(stand.data.keys().join("tokens.key"), key).unwrap();
        let signer = stand.open();
        assert!(signer.verify(&token).is_ok());
        assert!(signer.verify(&signer.issue(&claims()).unwrap()).is_ok());
    }

    #[test]
    fn only_our_own_tokens_are_accepted() {
        let ours = signer();
        let token = ours.issue(&claims()).unwrap();
        assert_eq!(ours.verify(&token).unwrap(), claims());
        assert!(ours.verify(&signer().issue(&claims()).unwrap()).is_err(), "another key");
        let (head, tail) = token.split_at(token.len() - 1);
        let flipped = if tail == "A" { "Q" } else { "A" };
        assert!(ours.verify(&format!("{head}{flipped}")).is_err(), "another signature");
        assert!(ours.verify("").is_err() && ours.verify("a.b.c").is_err());
        assert!(ours.verify(&"x".repeat(TOKEN_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn other_algorithms_are_refused() {
        let ours = signer();
        let body = ours.issue(&claims()).unwrap().split('.').nth(1).unwrap().to_owned();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(ours.verify(&format!("{none}.{body}.")).is_err());
        let hmac = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims(),
            &EncodingKey::from_secret(ours.jwks().to_string().as_bytes()),
        );
        assert!(ours.verify(&hmac.unwrap()).is_err());
    }

    #[test]
    fn the_key_stays_over_a_restart() {
        let stand = Stand::new();
        let token = stand.open().issue(&claims()).unwrap();
        assert!(stand.open().verify(&token).is_ok());
    }
}
