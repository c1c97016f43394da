//! Runs one scenario, and keeps what there is to see when it fails.

use std::fs;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;

use crate::parts;
use crate::world::World;

/// Runs a scenario. It fails like a test does: by a panic, or by the error that it returns.
///
/// # Panics
///
/// It failed.
pub fn scenario<F>(body: F)
where
    F: AsyncFnOnce(&World) -> anyhow::Result<()>,
{
    let name = name_of::<F>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let played = match runtime {
        Ok(runtime) => runtime.block_on(play(&name, body)),
        Err(error) => Ok(Err(error.into())),
    };
    match played {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error:#}"),
        Err(panic) => resume_unwind(panic),
    }
}

async fn play<F>(name: &str, body: F) -> std::thread::Result<anyhow::Result<()>>
where
    F: AsyncFnOnce(&World) -> anyhow::Result<()>,
{
    let world = match World::begin().await {
        Ok(world) => world,
        Err(error) => return Ok(Err(error)),
    };
    let played = AssertUnwindSafe(body(&world)).catch_unwind().await;
    if !matches!(played, Ok(Ok(()))) {
        keep_evidence(name, &world).await;
    }
    played
}

/// Writes what every browser shows and has logged into `target/e2e`.
async fn keep_evidence(name: &str, world: &World) {
    let folder = parts::folder().join(name.replace("::", "-"));
    let _ = fs::remove_dir_all(&folder);
    let kept = fs::create_dir_all(&folder);
    if let Err(error) = kept {
        eprintln!("{} cannot be made: {error}", folder.display());
        return;
    }
    for person in world.people() {
        person.keep_evidence(&folder).await;
    }
    eprintln!("what {name} looked like is in {}", folder.display());
}

/// The path of the test that has this closure in it.
fn name_of<F>() -> String {
    let name = std::any::type_name::<F>();
    name.trim_end_matches("::{{closure}}").to_owned()
}
