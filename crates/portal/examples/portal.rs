//! Serves the portal on <http://127.0.0.1:8420/> over a database in memory that has something of
//! everything in it, to look at pages while working on them. Sign in as `ann` with the secret
//! `correct horse`. `--fresh` shows an installation after its first run.

#[path = "../tests/it/world/mod.rs"]
mod world;

use std::error::Error;

use world::World;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let fresh = std::env::args().any(|argument| argument == "--fresh");
    let world = if fresh { World::fresh() } else { World::full() };
    let mut state = world.state();
    "http://127.0.0.1:8420".clone_into(&mut state.public_url);
    // The running job gets on while somebody looks.
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
            world.tick();
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8420").await?;
    axum::serve(listener, coffre_portal::router(state)).await?;
    Ok(())
}
