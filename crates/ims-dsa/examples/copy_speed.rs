// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How fast a memory move goes through queue, engine and completion record,
//! beside a plain copy of the same memory in the same run.
//!
//! Each size is copied twice over: between one pair of buffers, which stay in
//! the nearest cache that holds them (the hardest case, as the copy costs
//! least), and between pairs used in turn, as a driver's ring of buffers is. The
//! last column is what a descriptor costs beyond its copy.
//!
//! `cargo run --release -p ims-dsa --example copy_speed`

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_dsa::{
    Client, Device, DeviceConfig, ErrorLog, Handle, Interrupts, InvalidHandle, Pasid, Portal,
    QueueConfig, SoftwareError,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};
use zerocopy::little_endian::{U32, U64};

/// A device whose user polls completion records.
struct Polled;

impl Interrupts for Polled {
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

impl ErrorLog for Polled {
    fn report(&self, error: SoftwareError) {
        eprintln!("{error:?}");
    }
}

const SOURCE: u64 = 16 << 20;
const DESTINATION: u64 = 32 << 20;
/// As many as the queue holds, so that a round is submitted without a retry.
const DEPTH: u16 = 16384;
const ROUNDS: usize = 5;
/// Pairs of buffers used in turn.
const RING: u64 = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let memory = Arc::new(GuestMemoryMmap::<()>::from_ranges(&[(
        GuestAddress(0),
        64 << 20,
    )])?);
    let config = DeviceConfig {
        engines: vec![Some(0)],
        queues: vec![QueueConfig {
            size: DEPTH,
            ..QueueConfig::default()
        }],
        ..DeviceConfig::default()
    };
    let mut device = Device::new(&config, Arc::new(Polled), Arc::new(Polled))?;
    device.enable(0)?;
    device.start()?;
    let client = Client {
        pasid: None,
        memory: memory.clone(),
    };
    let queues = device.queues();
    println!(
        "{:>9} {:>6} {:>11} {:>11} {:>6} {:>8}",
        "bytes", "pairs", "plain GB/s", "moved GB/s", "ratio", "ns more"
    );
    for (size, pairs) in [4 << 10, 64 << 10, 1 << 20_u32]
        .into_iter()
        .flat_map(|size| [(size, 1), (size, RING)])
    {
        let length = usize::try_from(size)?;
        let count = ((1 << 30) / length).min(DEPTH.into());
        let mut ring = Vec::new();
        for pair in 0..pairs {
            let (source, destination) = (
                SOURCE + pair * u64::from(size),
                DESTINATION + pair * u64::from(size),
            );
            memory.write_slice(&vec![1; length], GuestAddress(source))?;
            let from = memory.get_slice(GuestAddress(source), length)?;
            let to = memory.get_slice(GuestAddress(destination), length)?;
            let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
            let descriptor = Descriptor {
                source: U64::new(source),
                destination: U64::new(destination),
                size: U32::new(size),
                ..Descriptor::new(Opcode::MemoryMove, flags)
            };
            ring.push((from, to, descriptor));
        }
        // Alternating rounds, the best of each: neighbours on the machine
        // disturb both alike.
        let (mut best_plain, mut best_moved) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for (from, to, _) in ring.iter().cycle().take(count) {
                black_box(*from).copy_to_volatile_slice(black_box(*to));
            }
            best_plain = best_plain.min(start.elapsed());
            let start = Instant::now();
            for (_, _, descriptor) in ring.iter().cycle().take(count) {
                queues.submit(0, &client, Portal::default(), descriptor)?;
            }
            queues.drain_all()?;
            best_moved = best_moved.min(start.elapsed());
        }
        let rate = |time: Duration| (count * length) as f64 / time.as_secs_f64() / 1e9;
        let (plain, moved) = (rate(best_plain), rate(best_moved));
        let more = (best_moved.as_secs_f64() - best_plain.as_secs_f64()) * 1e9 / count as f64;
        println!(
            "{size:>9} {pairs:>6} {plain:>11.2} {moved:>11.2} {:>6.3} {more:>8.0}",
            moved / plain
        );
    }
    Ok(())
}
