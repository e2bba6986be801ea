//! Packages: the same bytes each time, and nothing in the world but those.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::Command;

use coffre_guest::package::{
    self, NAME, PROGRAM, Package, PackageError, ProgramError, SigningKey, TrustedKey,
};
use proptest::prelude::*;

/// The smallest static program: a header that names no loader, and some bytes that do not compress.
fn program() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16] = 2;
    let mut seed = 1u32;
    bytes.extend(
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .take(2000),
    );
    bytes
}

fn signed() -> (Vec<u8>, TrustedKey, SigningKey) {
    let (key, _) = SigningKey::generate().unwrap();
    let bytes = package::build(&program(), NAME, "1.2.3.4", &key).unwrap();
    let trusted = key.trusted();
    (bytes, trusted, key)
}

/// How many changes are tried; more on request.
fn samples() -> u64 {
    std::env::var("COFFRE_PACKAGE_SAMPLES").map_or(50_000, |text| text.parse().unwrap())
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (first, trusted, key) = signed();
    assert_eq!(first, package::build(&program(), NAME, "1.2.3.4", &key).unwrap());
    let (other, _) = SigningKey::generate().unwrap();
    assert_ne!(first, package::build(&program(), NAME, "1.2.3.4", &other).unwrap());
    let found = Package::verify(&first, &[other.trusted(), trusted]).unwrap();
    assert_eq!((found.manifest.name.as_str(), found.manifest.version.as_str()), (NAME, "1.2.3.4"));
}

#[test]
fn keys_come_back_from_their_texts() {
    let (key, pem) = SigningKey::generate().unwrap();
    let again = SigningKey::from_pem(&pem).unwrap();
    assert_eq!(key.trusted(), again.trusted());
    assert_eq!(key.trusted().to_string().parse::<TrustedKey>().unwrap(), key.trusted());
    assert!(SigningKey::from_pem("no").is_err());
    assert!("AAAA".parse::<TrustedKey>().is_err());
}

#[test]
fn no_changed_bit_is_accepted() {
    let (bytes, trusted, _) = signed();
    let bits = bytes.len() as u64 * 8;
    let samples = samples();
    // Every bit of the last kilobyte, where the directory of the zip and the signature are, and a spread over the rest.
    let tail = (bits - 8 * 1024)..bits;
    let spread =
        (0..samples.saturating_sub(8 * 1024)).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % bits);
    let mut changed = bytes.clone();
    let mut count = 0;
    for bit in tail.chain(spread) {
        let (at, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        changed[at] ^= mask;
        assert!(Package::verify(&changed, &[trusted]).is_err(), "bit {bit} does not matter");
        changed[at] ^= mask;
        count += 1;
    }
    assert!(count >= samples.min(50_000));
    Package::verify(&changed, &[trusted]).unwrap();
}

#[test]
fn unsigned_foreign_cut_and_grown_packages_are_refused() {
    let (bytes, trusted, _) = signed();
    let (_, stranger, _) = signed();
    let refused = |bytes: &[u8]| Package::verify(bytes, &[trusted]).unwrap_err();
    assert!(matches!(Package::verify(&bytes, &[stranger]), Err(PackageError::UnknownKey)));
    assert!(matches!(Package::verify(&bytes, &[]), Err(PackageError::UnknownKey)));
    assert!(matches!(refused(&[]), PackageError::Unsigned));
    assert!(matches!(refused(&bytes[..bytes.len() - 1]), PackageError::Unsigned));
    assert!(matches!(refused(&bytes[1..]), PackageError::Changed));
    let mut grown = bytes.clone();
    grown.push(0);
    assert!(matches!(refused(&grown), PackageError::Unsigned));
    let mut doubled = bytes.clone();
    doubled.extend_from_slice(&bytes);
    assert!(matches!(refused(&doubled), PackageError::Changed));
    assert!(matches!(refused(&vec![0; package::BYTES_MAX + 1]), PackageError::TooLarge));
}

#[test]
fn nothing_is_unpacked_over_what_exists() {
    let (bytes, trusted, _) = signed();
    let folder = tempfile::tempdir().unwrap();
    let package = Package::verify(&bytes, &[trusted]).unwrap();
    let target = folder.path().join("x");
    package.unpack(&target).unwrap();
    assert_eq!(std::fs::read(target.join(PROGRAM)).unwrap(), program());
    assert!(matches!(package.unpack(&target), Err(PackageError::Io(_))));
    assert!(matches!(package.unpack(Path::new("/dev/null")), Err(PackageError::Io(_))));
}

#[test]
fn what_cannot_run_everywhere_is_not_packaged() {
    let (key, _) = SigningKey::generate().unwrap();
    let build = |program: &[u8]| package::build(program, NAME, "1.0", &key).unwrap_err();
    assert!(matches!(build(b"#!/bin/sh"), PackageError::Program(ProgramError::Form)));
    let dynamic = std::fs::read("/proc/self/exe").unwrap();
    let checked = package::check_program(&dynamic[..dynamic.len().min(1 << 20)]);
    assert_eq!(checked, Err(ProgramError::Dynamic));
    assert!(package::check_program(&vec![0; 8 << 20]).is_err());
    for version in ["", "1", "1.x", "1.02", "1.0.0.0.0", "../1.0"] {
        assert!(package::build(&program(), NAME, version, &key).is_err(), "{version}");
    }
    assert!(package::build(&program(), "no<type", "1.0", &key).is_err());
}

#[test]
fn python_s_zipfile_reads_it_as_agents_do() {
    let (bytes, _, _) = signed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.zip");
    std::fs::write(&path, bytes).unwrap();
    let script = "import sys,json,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(json.loads(z.read('HandlerManifest.json'))[0]['handlerManifest']['enableCommand'])";
    let output =
        Command::new("python3").args(["-c", script]).arg(&path).output().expect("python3 is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "bin/coffre-guest enable");
}

proptest! {
    #[test]
    fn no_bytes_make_the_verification_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert!(Package::verify(&bytes, &[]).is_err());
    }
}
