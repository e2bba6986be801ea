//! The program as it goes into machines: static, small, and packaged by the service's own command line.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use coffre_guest::package::{self, NAME, Package, SigningKey, check_program};

#[test]
fn it_is_static_small_and_can_be_packaged() {
    let path = coffre_testkit::extension_program().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    check_program(&bytes).unwrap();
    assert!(bytes.len() < 8 << 20, "{} bytes", bytes.len());
    let ldd = Command::new("ldd").arg(&path).output().expect("ldd is there (libc-bin)");
    let said = [ldd.stdout, ldd.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("statically linked") || said.contains("not a dynamic"), "{said}");
    let usage = Command::new(&path).output().unwrap();
    assert_eq!(usage.status.code(), Some(2), "it runs");

    let (key, _) = SigningKey::generate().unwrap();
    let zip = package::build(&bytes, NAME, "1.0.0.0", &key).unwrap();
    assert_eq!(zip, package::build(&bytes, NAME, "1.0.0.0", &key).unwrap());
    let trusted = [key.trusted()];
    Package::verify(&zip, &trusted).unwrap();
    println!("program {} bytes, package {} bytes", bytes.len(), zip.len());
}
