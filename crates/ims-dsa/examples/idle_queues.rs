// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What it costs to pick the next queue, among idle and among busy ones: nanoseconds
//! an engine takes for a no-op that waits in its queue.
//!
//! `cargo run --release -p ims-dsa --example idle_queues`

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_dsa::{
    Client, Device, DeviceConfig, ErrorLog, Handle, Interrupts, InvalidHandle, Mode, Pasid, Portal,
    QueueConfig, SoftwareError, WorkQueue,
};
use ims_vfio::Hold;
use vm_memory::{GuestAddress, GuestMemoryMmap};

/// Nobody is interrupted.
struct Quiet;

impl Interrupts for Quiet {
    type Raiser = ();

    fn raiser(&self) {}

    fn check(&self, handle: Handle, _: Option<Pasid>) -> Result<(), InvalidHandle> {
        Err(InvalidHandle { handle })
    }

    fn raise(
        &self,
        (): &mut (),
        _: u32,
        handle: Handle,
        _: Option<Pasid>,
    ) -> Result<(), InvalidHandle> {
        Err(InvalidHandle { handle })
    }
}

impl ErrorLog for Quiet {
    fn report(&self, error: SoftwareError) {
        eprintln!("{error:?}");
    }
}

/// Descriptors of a round, over all busy queues.
const ROUND: usize = 16384;
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let memory = Arc::new(GuestMemoryMmap::<()>::from_ranges(&[(
        GuestAddress(0),
        1 << 20,
    )])?);
    let client = Client {
        pasid: Pasid::new(1),
        memory,
    };
    println!("{:>6} {:>6} {:>14}", "idle", "busy", "ns a descriptor");
    for (idle, busy) in [
        (0, 1),
        (1000, 1),
        (10_000, 1),
        (0, 64),
        (1000, 64),
        (0, 1024),
    ] {
        let time = measure(idle, busy, &client)?;
        let each = time.as_secs_f64() * 1e9 / ROUND as f64;
        println!("{idle:>6} {busy:>6} {each:>14.0}");
    }
    Ok(())
}

/// The best round.
fn measure(idle: usize, busy: usize, client: &Client) -> Result<Duration, Box<dyn Error>> {
    let config = DeviceConfig {
        engines: vec![Some(0)],
        ..DeviceConfig::default()
    };
    let mut device = Device::new(&config, Arc::new(Quiet), Arc::new(Quiet))?;
    let depth = u16::try_from(ROUND / busy)?;
    let add = |size| -> Result<WorkQueue, Box<dyn Error>> {
        let config = QueueConfig {
            mode: Mode::Shared,
            size,
            threshold: size,
            ..QueueConfig::default()
        };
        let queue = device.add_queue(config, Arc::new(Quiet))?;
        queue.enable();
        Ok(queue)
    };
    // Half of the idle ones before the busy ones, half after.
    let mut queues = Vec::new();
    for _ in 0..idle / 2 {
        queues.push(add(1)?);
    }
    let served = (0..busy)
        .map(|_| add(depth))
        .collect::<Result<Vec<_>, _>>()?;
    for _ in idle / 2..idle {
        queues.push(add(1)?);
    }
    let nop = Descriptor::new(Opcode::NoOp, Flags::NONE);
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        // Nothing is picked while it is submitted, so that all are ready at once.
        for _ in 0..depth {
            for queue in &served {
                queue.submit(client, Portal::default(), &nop)?;
            }
        }
        let (told, ended) = mpsc::sync_channel(1);
        let hold = Hold::new(move || told.send(()).unwrap_or_default());
        for queue in &served {
            queue.drain(hold.clone());
        }
        drop(hold);
        let start = Instant::now();
        device.start()?;
        ended.recv()?;
        best = best.min(start.elapsed());
        device.stop();
    }
    Ok(best)
}
