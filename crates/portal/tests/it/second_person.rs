//! Resource guards through the forms: made, held, changed, put before a vault and taken away by two.

use coffre_control::Role;
use coffre_control::id::PrincipalId;
use coffre_control::model::*;
use coffre_control::usecase::{hash_secret, list_guards};
use uuid::Uuid;

use crate::world::browser::Browser;
use crate::world::*;

/// A world in which bob may hold guards.
fn world_with_bob() -> World {
    let world = World::full();
    world
        .act(|tx, _| {
            Ok(tx.put_principal(&mut Principal {
                id: PrincipalId(Uuid::from_u128(0xee)),
                name: "bob".to_owned(),
                kind: PrincipalKind::User,
                secret_hash: hash_secret(SECRET, &[7; 16]),
                roles: vec![Role::BackupMuaAdmin],
                etag: 0,
            })?)
        })
        .unwrap();
    world
}

fn guards(world: &World) -> Vec<ResourceGuard> {
    world.act(|tx, cx| list_guards(tx, cx, SUBSCRIPTION, None)).unwrap()
}

#[tokio::test]
async fn a_guard_is_made_and_stands_before_a_vault() {
    let world = world_with_bob();
    let group = format!("{SUBSCRIPTION}/coffre");
    let mut bob = Browser::open(&world);
    bob.sign_in("bob").await.is(303);
    bob.get("/portal/settings").await.has("href=\"/portal/guards\"");
    bob.get("/portal/guards").await.has("There is no resource guard yet").has("name=\"covers\"");
    let policy = Critical::ReducePolicy.azure();
    let form = |name: &'static str, holders: &'static str| {
        [("group".to_owned(), group.clone()), ("name".to_owned(), name.to_owned())]
            .into_iter()
            .chain([("holders".to_owned(), holders.to_owned())])
            .chain([("covers".to_owned(), policy.to_owned())])
            .collect::<Vec<_>>()
    };
    let sent = |fields: &[(String, String)]| -> Vec<(String, String)> { fields.to_vec() };
    let mut send = async |fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(key, value)| (&**key, &**value)).collect();
        bob.post("/portal/guards", &fields).await
    };
    // What was typed stays when the answer is no.
    let wrong = send(sent(&form("watch", "bob, nobody-here"))).await;
    wrong.is(400).has("nobody-here").has("value=\"watch\"").has("value=\"bob, nobody-here\"");
    assert!(guards(&world).is_empty());
    assert_eq!(send(sent(&form("watch", "bob, ann"))).await.is(303).location(), "/portal/guards");
    let guard = guards(&world).remove(0);
    assert_eq!(guard.holders.len(), 2);
    assert!(guard.covers(Critical::ReducePolicy) && guard.covers(Critical::RemoveGuard));
    assert!(!guard.covers(Critical::DeleteData), "a box that is not ticked is left out");

    // Bob holds it and runs no vault; the owner puts the vault under it.
    bob.get("/portal/guards").await.has("Delete the guard").lacks("Protect this vault");
    let mut owner = Browser::signed_in(&world).await;
    owner.get("/portal/guards").await.has("Protect this vault").lacks("Delete the guard");
    let vault = world.vault_named("shop-vault").unwrap().id.to_string();
    let bound = [("vault", vault.as_str()), ("scope", guard.scope.as_str()), ("name", "watch")];
    owner.post("/portal/guards/bind", &bound).await.is(303);
    owner.get(&format!("/portal/vaults/{vault}")).await.has("Resource guard").has(">watch<");
    bob.get("/portal/guards").await.lacks("Delete the guard").has(">shop-vault<");

    // It is not taken away by one.
    let taken = owner.post("/portal/guards/bind", &[("vault", vault.as_str())]).await;
    taken.is(403).has("has to approve").has("UserErrorResourceGuardApprovalNeeded");
    assert!(world.vault_named("shop-vault").unwrap().guard.is_some());
    bob.get("/portal/approvals").await.has("take the resource guard from vault");
}

#[tokio::test]
async fn a_guard_is_changed_by_its_holder_and_by_nobody_else() {
    let world = world_with_bob();
    let group = format!("{SUBSCRIPTION}/coffre");
    let mut bob = Browser::open(&world);
    bob.sign_in("bob").await.is(303);
    let base = [("group", group.as_str()), ("name", "watch")];
    bob.post("/portal/guards", &base).await.is(303);
    let guard = guards(&world).remove(0);
    assert_eq!(guard.holders, [PrincipalId(Uuid::from_u128(0xee))], "whoever makes it holds it");
    let form = bob.get(&format!("/portal/guards?change={group}%2Fwatch")).await;
    form.has("Change the guard watch").has("name=\"is_change\"").has("value=\"bob\"");

    let mut owner = Browser::signed_in(&world).await;
    owner.post("/portal/guards", &base).await.is(403).has("nobody else may do this");
    owner.post("/portal/guards/delete", &base).await.is(403);
    bob.post("/portal/guards/delete", &base).await.is(303);
    assert!(guards(&world).is_empty());
}
