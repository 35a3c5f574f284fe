// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The run itself: start the drivers, disturb, stop, and wait until all is quiet.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ims::store::Store;

use super::disturb::{Disturbed, Disturber, QUIET};
use super::error::{RunError, host};
use super::lane::Left;
use super::world::World;

/// How long nothing may come while something is still to come.
const LAST: Duration = Duration::from_secs(5);

/// What is known when all is quiet.
pub(super) struct Worked {
    pub(super) disturbed: Disturbed,
    /// How long all drivers worked.
    pub(super) time: Duration,
    /// Operations completed while they were being started.
    pub(super) before: u64,
}

/// Has the world work for as long as its scenario says. `progress` hears how long
/// it has worked.
pub(super) fn work<S: Store>(
    world: &mut World<S>,
    progress: impl Fn(Duration),
) -> Result<Worked, RunError> {
    let pump = Arc::clone(&world.pump);
    let pumping = thread::Builder::new()
        .name("pump".into())
        .spawn(move || pump.run())?;
    for (lane, _) in world.lanes() {
        lane.start();
    }
    // What was done before everybody worked counts, but its time does not.
    let before: u64 = world.lanes().map(|(lane, _)| lane.done().completed).sum();
    let start = Instant::now();
    let length = Duration::from_secs_f64(world.scenario.seconds);
    let told = || progress(start.elapsed());
    let disturbed = Disturber::new(world).run(start + length, told)?;
    wait(|| {
        let uncalled = world.lanes().filter(|(lane, _)| !lane.was_called());
        uncalled.count()
    });
    for (lane, _) in world.lanes() {
        lane.stop();
    }
    wait(|| {
        let left = world
            .lanes()
            .filter(|(lane, _)| lane.left() != Left::default());
        left.count()
    });
    let time = start.elapsed();
    world.pump.stop();
    if pumping.join().is_err() {
        return Err(RunError::Thread(std::io::Error::other(
            "the pump's thread panicked",
        )));
    }
    world
        .host
        .quiesce(QUIET)
        .map_err(host("waiting for the end"))?;
    Ok(Worked {
        disturbed,
        time,
        before,
    })
}

/// Waits until nothing is `left`, as long as it gets less now and then.
fn wait(left: impl Fn() -> usize) {
    let mut progress = (usize::MAX, Instant::now());
    loop {
        let now = left();
        if now < progress.0 {
            progress = (now, Instant::now());
        }
        if now == 0 || progress.1.elapsed() > LAST {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
