//! The surface on a stand: TLS on a port of this machine, a store in memory, two invented virtual
//! machines, and a worker that does every step of every job at once. For trying clients.
//!
//! `cargo run -p coffre-arm --example stand -- FOLDER` writes the certificate authority to
//! `FOLDER/ca.pem`, prints what a client needs, and serves until it is ended. Every request is
//! logged. A second argument names a certificate as PEM with which the program may sign in too;
//! the user lets a device in when its code is typed.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use coffre_control::port::tx;
use coffre_control::usecase::{add_certificate, read_certificate};
use coffre_control::{Caller, Cx};

#[path = "../tests/stand/mod.rs"]
mod stand;
#[path = "../tests/world/mod.rs"]
mod world;

use stand::Stand;
use world::{OWNER, SECRET, TENANT, USER_NAME};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter("coffre_arm=debug")
        .with_writer(std::io::stderr)
        .init();
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder for ca.pem")?);
    let stand = Stand::open(&folder).await?;
    let (world, url) = (&stand.world, &stand.url);
    if let Some(path) = std::env::args().nth(2) {
        let certificate =
            read_certificate(&std::fs::read_to_string(path)?).map_err(|refusal| refusal.message)?;
        let caller = Caller::system();
        let cx = Cx::new(&caller, jiff::Timestamp::now(), &uuid::Uuid::new_v4);
        tx(&*world.db, "certificate", |tx| {
            add_certificate(tx, &cx, OWNER.parse().expect("a uuid"), certificate)
        })
        .map_err(|refusal| refusal.message)?;
    }
    let devices = Arc::clone(&world.state.devices);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let who = uuid::Uuid::from_u128(0xa11).into();
            let known = devices.decide(&line, who, true, jiff::Timestamp::now());
            tracing::info!(known, "a code was typed");
        }
    });
    let summary = format!(
        "url={url}\nca={}\ntenant={TENANT}\nclient={OWNER}\nuser={USER_NAME}\nsecret={SECRET}\n",
        folder.join("ca.pem").display()
    );
    std::fs::write(folder.join("stand.env"), summary)?;
    stand.serve().await.map_err(|error| error as Box<dyn Error>)
}
