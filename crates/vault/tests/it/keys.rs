//! Opening, and what each key may do.

use std::sync::Arc;

use coffre_vault::bucket::{Bucket, MemoryBucket};
use coffre_vault::{
    Capability, NoProgress, Passphrase, SlotKind, Unlock, Vault, VaultError, VerifyScope,
};
use uuid::Uuid;

use crate::support::{Image, backup, mixed_image, new_vault, passphrase, restore};

#[test]
fn passphrase_and_paper_key_open_it_and_nothing_else_does() {
    let bucket = Arc::new(MemoryBucket::new());
    let store = || Arc::clone(&bucket) as Arc<dyn Bucket>;
    let open = |bucket: &Arc<MemoryBucket>| {
        Vault::open(Arc::clone(bucket) as Arc<dyn Bucket>, &Unlock::Passphrase(passphrase()))
    };
    assert!(matches!(open(&bucket), Err(VaultError::NotAVault)));
    assert!(matches!(Vault::create(store(), &Passphrase::new("")), Err(VaultError::Invalid(_))));
    let (vault, recovery) = Vault::create(store(), &passphrase()).unwrap();
    assert!(matches!(Vault::create(store(), &passphrase()), Err(VaultError::AlreadyAVault)));
    assert_eq!(open(&bucket).unwrap().id(), vault.id());
    let typed = recovery.to_string().to_lowercase().parse().unwrap();
    assert_eq!(Vault::open(store(), &Unlock::RecoveryKey(typed)).unwrap().id(), vault.id());
    let wrong = Unlock::Passphrase(Passphrase::new("wrong"));
    assert!(matches!(Vault::open(store(), &wrong), Err(VaultError::WrongKey)));
    let (_, other) = Vault::create(Arc::new(MemoryBucket::new()), &passphrase()).unwrap();
    assert!(matches!(Vault::open(store(), &Unlock::RecoveryKey(other)), Err(VaultError::WrongKey)));
}

#[test]
fn a_writer_that_may_only_put_backs_up_and_cannot_read_or_delete() {
    let (bucket, admin) = new_vault();
    let unlock = Unlock::Passphrase(Passphrase::new("host"));
    admin.add_key(&unlock, &[Capability::Put]).unwrap();
    let host = Vault::open(Arc::clone(&bucket) as Arc<dyn Bucket>, &unlock).unwrap();
    assert_eq!(host.capabilities(), [Capability::Put]);
    let id = Uuid::from_u128(1);
    let image = Image::new(mixed_image(1, 40, 100));
    backup(&host, id, &image, None).unwrap();
    // It writes increments too: maps are open to it, data is not.
    let later = Uuid::from_u128(2);
    let (_, stats) = backup(&host, later, &image, Some((id, &[]))).unwrap();
    assert_eq!(stats.read_bytes, 0);
    assert!(matches!(restore(&host, id), Err(VaultError::MissingKey { .. })));
    assert!(matches!(host.disk(id, "disk"), Err(VaultError::MissingKey { .. })));
    assert!(matches!(
        host.verify(VerifyScope::All, &NoProgress),
        Err(VaultError::MissingKey { .. })
    ));
    assert!(matches!(host.delete_point(id), Err(VaultError::MissingKey { .. })));
    assert!(matches!(
        host.add_key(&unlock, &[Capability::Admin]),
        Err(VaultError::MissingKey { .. })
    ));
    assert_eq!(host.points().unwrap()[0].metadata, serde_json::Value::Null);
    assert_eq!(restore(&admin, later).unwrap(), image.data);
    assert_eq!(admin.point(id).unwrap().unwrap().metadata["vm"], "debian");
}

#[test]
fn slots_are_added_and_removed_but_never_the_last_administrator() {
    let (bucket, vault) = new_vault();
    let unlock = Unlock::Passphrase(Passphrase::new("second"));
    let slot = vault.add_key(&unlock, &[Capability::Put, Capability::Read]).unwrap();
    assert_eq!(vault.keys().unwrap().len(), 3);
    vault.remove_key(slot).unwrap();
    let opened = Vault::open(Arc::clone(&bucket) as Arc<dyn Bucket>, &unlock);
    assert!(matches!(opened, Err(VaultError::WrongKey)));
    let slots = vault.keys().unwrap();
    vault.remove_key(slots[0].id).unwrap();
    assert!(matches!(vault.remove_key(slots[1].id), Err(VaultError::Invalid(_))));
    assert!(matches!(vault.remove_key(Uuid::nil()), Err(VaultError::Invalid(_))));
    assert!(matches!(vault.add_key(&unlock, &[]), Err(VaultError::Invalid(_))));
}

#[test]
fn everybody_can_change_their_own_passphrase_and_nothing_else_with_it() {
    let (bucket, vault) = new_vault();
    let open = |text: &str| {
        let unlock = Unlock::Passphrase(Passphrase::new(text));
        Vault::open(Arc::clone(&bucket) as Arc<dyn Bucket>, &unlock)
    };
    vault.add_key(&Unlock::Passphrase(Passphrase::new("host")), &[Capability::Put]).unwrap();
    let host = open("host").unwrap();
    host.change_passphrase(&Passphrase::new("new host")).unwrap();
    assert!(matches!(open("host"), Err(VaultError::WrongKey)));
    assert_eq!(open("new host").unwrap().capabilities(), [Capability::Put]);
    assert!(matches!(
        open("new host").unwrap().change_passphrase(&Passphrase::new("")),
        Err(VaultError::Invalid(_))
    ));
    // A new key on paper, made by who has the old one.
    let (slot, paper) = vault.add_recovery_key().unwrap();
    let unlock = Unlock::RecoveryKey(paper.to_string().parse().unwrap());
    let by_paper = Vault::open(Arc::clone(&bucket) as Arc<dyn Bucket>, &unlock).unwrap();
    let keys = by_paper.keys().unwrap();
    let own: Vec<_> = keys.iter().filter(|key| key.current).collect();
    assert_eq!((own.len(), own[0].id, own[0].kind), (1, slot, SlotKind::RecoveryKey));
    let refused = by_paper.change_passphrase(&Passphrase::new("x"));
    assert!(matches!(refused, Err(VaultError::Invalid(_))));
    assert!(matches!(
        open("new host").unwrap().add_recovery_key(),
        Err(VaultError::MissingKey { .. })
    ));
}

#[test]
fn rotation_closes_what_comes_after_to_the_old_keys_and_keeps_what_was() {
    let (bucket, old) = new_vault();
    let before = Image::new(mixed_image(1, 20, 0));
    backup(&old, Uuid::from_u128(1), &before, None).unwrap();
    let fresh = Passphrase::new("after the leak");
    let (new, paper) = old.rotate(&fresh).unwrap();
    let mut data = before.data.clone();
    data[..500].fill(9);
    let after = Image::new(data);
    backup(&new, Uuid::from_u128(2), &after, None).unwrap();
    // The old secrets open no slot; the new ones open everything.
    let open = |unlock: Unlock| Vault::open(Arc::clone(&bucket) as Arc<dyn Bucket>, &unlock);
    assert!(matches!(open(Unlock::Passphrase(passphrase())), Err(VaultError::WrongKey)));
    for unlock in [Unlock::Passphrase(fresh), Unlock::RecoveryKey(paper)] {
        let vault = open(unlock).unwrap();
        assert!(restore(&vault, Uuid::from_u128(1)).unwrap() == before.data);
        assert!(restore(&vault, Uuid::from_u128(2)).unwrap() == after.data);
        assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    }
    // Who kept the old keyring reads what was there, and nothing that came after.
    assert!(restore(&old, Uuid::from_u128(1)).unwrap() == before.data);
    assert!(matches!(restore(&old, Uuid::from_u128(2)), Err(VaultError::MissingKey { .. })));
}
