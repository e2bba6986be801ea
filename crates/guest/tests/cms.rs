//! Envelopes that the real `openssl cms` makes are opened, and nothing that was changed on the way is.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use coffre_guest::cms::{CmsError, open, parse, seal};
use proptest::prelude::*;

const SECRET: &[u8] = br#"{"objectStr": "abc", "statusBlobUri": "https://a/b?sig=1"}"#;

struct Keys {
    folder: tempfile::TempDir,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

fn openssl(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is there (Debian package openssl)");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

fn keys() -> Keys {
    let folder = tempfile::tempdir().unwrap();
    let make = "req -x509 -newkey rsa:2048 -nodes -subj /CN=LinuxTransport -days 2 -keyout k.pem -out c.pem";
    openssl(folder.path(), &make.split(' ').collect::<Vec<_>>(), b"");
    let read = |name| std::fs::read(folder.path().join(name)).unwrap();
    Keys { certificate: read("c.pem"), key: read("k.pem"), folder }
}

fn envelope(keys: &Keys, cipher: &str, more: &[&str]) -> Vec<u8> {
    let mut arguments = vec!["cms", "-encrypt", "-binary", "-outform", "DER", cipher];
    arguments.extend(["-recip", "c.pem"]);
    arguments.extend(more);
    openssl(keys.folder.path(), &arguments, SECRET)
}

#[test]
fn every_cipher_key_transport_and_name_is_opened() {
    let keys = keys();
    let transports: [&[&str]; 3] = [
        &[],
        &["-keyopt", "rsa_padding_mode:oaep"],
        &["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"],
    ];
    for cipher in ["-des3", "-aes128", "-aes192", "-aes256"] {
        for transport in transports {
            for name in [&[][..], &["-keyid"]] {
                let sealed = envelope(&keys, cipher, &[transport, name].concat());
                let opened = open(&sealed, &keys.certificate, &keys.key);
                let opened =
                    opened.unwrap_or_else(|e| panic!("{cipher} {transport:?} {name:?}: {e}"));
                assert_eq!(*opened, SECRET);
            }
        }
    }
}

#[test]
fn the_older_form_of_a_key_and_text_before_it_are_understood() {
    let keys = keys();
    let old = openssl(keys.folder.path(), &["rsa", "-in", "k.pem", "-traditional"], b"");
    let mut with_bag =
        b"Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n".to_vec();
    with_bag.extend(old);
    let sealed = envelope(&keys, "-aes256", &[]);
    assert_eq!(*open(&sealed, &keys.certificate, &with_bag).unwrap(), SECRET);
}

#[test]
fn what_is_for_somebody_else_or_too_strange_stays_shut() {
    let (ours, theirs) = (keys(), keys());
    let sealed = envelope(&ours, "-aes128", &[]);
    assert!(matches!(open(&sealed, &theirs.certificate, &theirs.key), Err(CmsError::Recipient)));
    assert!(matches!(open(&sealed, &ours.certificate, &theirs.key), Err(CmsError::Shut)));
    assert!(matches!(open(&sealed, b"no", &ours.key), Err(CmsError::Key(_))));
    assert!(matches!(open(&sealed, &ours.certificate, b"no"), Err(CmsError::Key(_))));
    let strange = envelope(&ours, "-camellia128", &[]);
    assert!(matches!(open(&strange, &ours.certificate, &ours.key), Err(CmsError::Algorithm(_))));
}

#[test]
fn what_we_seal_openssl_opens_and_so_do_we() {
    let keys = keys();
    let sealed = seal(SECRET, &keys.certificate).unwrap();
    assert_eq!(*open(&sealed, &keys.certificate, &keys.key).unwrap(), SECRET);
    let decrypt = ["cms", "-decrypt", "-inform", "DER", "-inkey", "k.pem", "-recip", "c.pem"];
    assert_eq!(openssl(keys.folder.path(), &decrypt, &sealed), SECRET);
}

#[test]
fn a_changed_byte_never_opens_to_something_else_in_the_key() {
    let keys = keys();
    let sealed = envelope(&keys, "-aes256", &["-keyopt", "rsa_padding_mode:oaep"]);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        // CBC carries no seal of its own, so only the content may come out changed; nothing may panic.
        let _ = open(&changed, &keys.certificate, &keys.key);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes);
    }
}
