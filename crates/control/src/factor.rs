//! The second factor of a person: codes of six digits that follow from a secret and the time
//! (RFC 6238), and recovery codes for when the device with the secret is lost.
//!
//! The secret is sealed with a key that lies apart from the database, and of recovery codes only a
//! keyed digest is kept: a copy of the database alone gives no code.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};
use jiff::Timestamp;
use totp_rs::{Algorithm, TOTP};

use crate::id::PrincipalId;

/// Bytes of a secret: as many as the digest of its codes has.
pub const SECRET_BYTES: usize = 20;
/// Seconds for which one code is good.
pub const STEP_SECS: u64 = 30;
/// Digits of a code.
pub const DIGITS: usize = 6;
/// Recovery codes that somebody gets.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: 16 letters.
pub const RECOVERY_BYTES: usize = 10;

/// Steps by which the clocks of both sides may differ.
const SKEW_STEPS: i64 = 1;
/// Most letters of a code that are looked at.
const TYPED_MAX: usize = 64;
/// Crockford's letters: none is mistaken for another when copied by hand.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Random bytes for one seal; never used twice.
pub type SealNonce = [u8; NONCE_LEN];

/// The key under which secrets are sealed. It never prints.
#[derive(Clone)]
pub struct FactorKey {
    seal: [u8; 32],
    digest: hmac::Key,
}

impl std::fmt::Debug for FactorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FactorKey(…)")
    }
}

impl FactorKey {
    /// Takes random bytes. What another key sealed cannot be opened.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derive = |what: &str| hmac::sign(&key, what.as_bytes());
        let mut seal = [0; 32];
        seal.copy_from_slice(derive("coffre second factor: seal").as_ref());
        let digest = derive("coffre second factor: recovery codes");
        Self { seal, digest: hmac::Key::new(hmac::HMAC_SHA256, digest.as_ref()) }
    }

    /// Seals the secret of somebody: for anybody else it does not open.
    pub(crate) fn seal(&self, whose: PrincipalId, secret: &[u8], nonce: SealNonce) -> Vec<u8> {
        let mut sealed = secret.to_vec();
        let about = Aad::from(*whose.uuid().as_bytes());
        self.cipher()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut sealed)
            .expect("a secret is short");
        [nonce.as_slice(), &sealed].concat()
    }

    /// The secret in a seal; none when it was damaged, or sealed by another key or for another.
    pub(crate) fn open(&self, whose: PrincipalId, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let about = Aad::from(*whose.uuid().as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        Some(self.cipher().open_in_place(nonce, about, &mut bytes).ok()?.to_vec())
    }

    /// What is kept of a recovery code.
    pub(crate) fn digest(&self, whose: PrincipalId, code: &str) -> Vec<u8> {
        let text = [whose.uuid().as_bytes().as_slice(), plain(code).as_bytes()].concat();
        hmac::sign(&self.digest, &text).as_ref().to_vec()
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.seal).expect("a key of 32 bytes");
        LessSafeKey::new(key)
    }
}

/// A secret as people type it into an app that cannot read a picture: letters of base 32.
pub fn secret_text(secret: &[u8]) -> String {
    totp(secret).get_secret_base32()
}

/// What the picture for an app says: whose secret, which, and how codes follow from it. `name` has
/// the letters of a name.
pub fn enrolment_url(name: &str, secret: &[u8]) -> String {
    let (name, secret) = (name.replace('@', "%40"), secret_text(secret));
    format!(
        "otpauth://totp/Coffre:{name}?secret={secret}&issuer=Coffre&algorithm=SHA1&digits={DIGITS}\
         &period={STEP_SECS}"
    )
}

/// The code of a secret at a time.
pub fn code_at(secret: &[u8], time: Timestamp) -> String {
    code_of_step(secret, step_at(time))
}

/// The step whose code was typed, if it is one of about now and after `last`: a code that was used
/// is used up, and with it all before it.
pub(crate) fn step_of(secret: &[u8], typed: &str, now: Timestamp, last: i64) -> Option<i64> {
    let typed = plain(typed);
    let now = step_at(now);
    let mut found = None;
    for step in now - SKEW_STEPS..=now + SKEW_STEPS {
        let code = code_of_step(secret, step);
        let same = constant_time::verify_slices_are_equal(code.as_bytes(), typed.as_bytes());
        if same.is_ok() && step > last {
            found = Some(step);
        }
    }
    found
}

fn step_at(time: Timestamp) -> i64 {
    time.as_second().div_euclid(STEP_SECS.cast_signed())
}

fn code_of_step(secret: &[u8], step: i64) -> String {
    totp(secret).generate(step.max(0).cast_unsigned() * STEP_SECS)
}

fn totp(secret: &[u8]) -> TOTP {
    TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, STEP_SECS, secret.to_vec())
}

/// A recovery code as people copy it: `abcd-efgh-jkmn-pqrs`.
pub(crate) fn recovery_code(random: &[u8; RECOVERY_BYTES]) -> String {
    let letters: Vec<u8> = random.as_chunks::<5>().0.iter().flat_map(letters_of).collect();
    let groups: Vec<&str> =
        letters.chunks(4).map(|it| std::str::from_utf8(it).expect("ASCII")).collect();
    groups.join("-")
}

/// Five bytes are eight letters.
fn letters_of(bytes: &[u8; 5]) -> [u8; 8] {
    let all = bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    std::array::from_fn(|at| LETTERS[(all >> (35 - 5 * at) & 31) as usize])
}

/// A code as it was meant: without what people put between its parts, and as is written what is
/// easily mistaken.
fn plain(typed: &str) -> String {
    let letters = typed.chars().take(TYPED_MAX).filter(char::is_ascii_alphanumeric);
    letters
        .map(|letter| match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ANN: PrincipalId = PrincipalId(Uuid::from_u128(1));
    const SECRET: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1; of its eight digits the last six.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(SECRET, at(second)), code, "{second}");
        }
    }

    #[test]
    fn an_app_is_told_what_it_needs() {
        assert_eq!(
            enrolment_url("ann@lab", SECRET),
            "otpauth://totp/Coffre:ann%40lab?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Coffre\
             &algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn clocks_may_differ_by_a_step_and_a_code_is_good_once() {
        let now = at(1_234_567_890);
        let step = step_at(now);
        for (seconds, good) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let typed = code_at(SECRET, at(1_234_567_890 + seconds));
            assert_eq!(step_of(SECRET, &typed, now, 0).is_some(), good, "{seconds}");
        }
        let typed = code_at(SECRET, now);
        assert_eq!(step_of(SECRET, &typed, now, step - 1), Some(step));
        assert_eq!(step_of(SECRET, &typed, now, step), None, "it was used");
        let before = code_at(SECRET, at(1_234_567_860));
        assert_eq!(step_of(SECRET, &before, now, step), None, "so are those before it");
        for wrong in ["", "00592", "0059240", "000000", "abcdef", "٠٠٥٩٢٤", &"0".repeat(9999)]
        {
            assert_eq!(step_of(SECRET, wrong, now, 0), None, "{wrong}");
        }
        assert_eq!(step_of(SECRET, " 005 924 ", now, 0), Some(step), "as apps show it");
    }

    #[test]
    fn a_seal_opens_for_its_owner_and_its_key_only() {
        let key = FactorKey::new(&[1; 32]);
        let sealed = key.seal(ANN, SECRET, [7; NONCE_LEN]);
        assert!(!sealed.windows(SECRET.len()).any(|it| it == SECRET));
        assert_eq!(key.open(ANN, &sealed).as_deref(), Some(SECRET));
        assert_eq!(key.open(PrincipalId(Uuid::from_u128(2)), &sealed), None);
        assert_eq!(FactorKey::new(&[2; 32]).open(ANN, &sealed), None);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(key.open(ANN, &damaged), None);
            assert_eq!(key.open(ANN, &sealed[..at]), None);
        }
        assert!(!format!("{key:?}").contains('1'));
    }

    #[test]
    fn recovery_codes_are_read_as_they_were_meant() {
        let code = recovery_code(&[0xff, 0, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35]);
        assert_eq!(code, "zw04-8cgm-rx15-9dhn");
        let key = FactorKey::new(&[1; 32]);
        let kept = key.digest(ANN, &code);
        for typed in ["ZW048CGMRX159DHN", "zwo4 8cgm rxi5 9dhn", " zw04-8cgm-rxl5-9dhn\n"] {
            assert_eq!(key.digest(ANN, typed), kept, "{typed}");
        }
        assert_ne!(key.digest(ANN, "zw04-8cgm-rx15-9dhm"), kept);
        assert_ne!(key.digest(PrincipalId(Uuid::from_u128(2)), &code), kept);
    }
}
