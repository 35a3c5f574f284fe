// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a raise costs in interrupt storage, whose masks are in the driver's memory,
//! beside one in MSI-X, whose masks are in the device.
//!
//! `cargo run --release -p ims-virtio --features device --example vis_raise`
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "an example on memory of its own"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ims::message::{Message, RequesterId};
use ims::msix::{BarOffset, Msix, MsixConfig};
use ims::sink::{Acceptance, Answer, MessageSink};
use ims_virtio::Event;
use ims_virtio::layout::vis::{ALL, Command, MASK, header, message, register};
use ims_virtio::vis::{Offer, Vis};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const AREA: u64 = 0x1000;
const VECTORS: u32 = 64;
const SHIFT: u32 = 6;
const MESSAGES: u32 = 0x200;
const MAP: u32 = 0x80;
const GATES: u32 = 0x800;
const RAISES: u32 = 200_000;
const BATCHES: u32 = 15;

type Ram = Arc<GuestMemoryMmap<()>>;

/// Takes every message, and does nothing.
#[derive(Debug, Clone, Copy)]
struct Nowhere;

impl MessageSink for Nowhere {
    fn send(&self, _: RequesterId, message: Message) -> Answer {
        std::hint::black_box(message);
        Answer::Accepted(Acceptance::HandedOver)
    }
}

fn write(ram: &Ram, offset: u64, value: u32) {
    let at = GuestAddress(AREA + offset);
    ram.store(value.to_le(), at, Ordering::Release).unwrap();
}

fn storage(ram: &Ram) -> Vis<Ram, Nowhere> {
    let offer = Offer { vectors: VECTORS };
    let mut vis = Vis::new(offer, 1, RequesterId(0), Arc::clone(ram), Nowhere).unwrap();
    for (field, value) in [
        (header::VECTORS, VECTORS),
        (header::QUEUES, 1),
        (header::CONFIG_VECTOR, 0),
        (header::GATE_SHIFT, SHIFT),
        (header::MESSAGES, MESSAGES),
        (header::MAP, MAP),
        (header::GATES, GATES),
        (header::LENGTH, GATES + (VECTORS << SHIFT)),
    ] {
        write(ram, field, value);
    }
    for vector in 0..VECTORS {
        let at = u64::from(MESSAGES + vector * 16);
        write(ram, at + message::ADDRESS, 0xfee0_0000);
        write(ram, at + message::DATA, 0x40 + vector);
    }
    vis.write(register::ADDRESS_LOW, AREA as u32);
    vis.write(register::COMMAND, Command::Enable.with(0));
    assert!(vis.enabled());
    vis
}

fn function() -> Msix<Nowhere> {
    let config = MsixConfig {
        vectors: VECTORS as u16,
        table: BarOffset { bir: 0, offset: 0 },
        pba: BarOffset { bir: 1, offset: 0 },
    };
    let mut msix = Msix::new(config, RequesterId(0), Nowhere).unwrap();
    msix.write_config(2, &0x8000u16.to_le_bytes());
    for vector in 0..u64::from(VECTORS) {
        let data = 0x40 + vector as u32;
        msix.write_table(vector * 16, &0xfee0_0000u64.to_le_bytes());
        msix.write_table(vector * 16 + 8, &data.to_le_bytes());
        msix.write_table(vector * 16 + 12, &0u32.to_le_bytes());
    }
    msix
}

/// Nanoseconds of one, in the middle batch.
fn measure(once: impl Fn(u32)) -> f64 {
    let batch = |_| {
        let start = Instant::now();
        (0..RAISES).for_each(&once);
        start.elapsed()
    };
    let mut batches: Vec<Duration> = (0..BATCHES).map(batch).collect();
    batches.sort_unstable();
    let middle = batches.get(batches.len() / 2).unwrap();
    middle.as_secs_f64() * 1e9 / f64::from(RAISES)
}

fn main() {
    let ram: Ram = Arc::new(GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x10000)]).unwrap());
    let mut vis = storage(&ram);
    let mut msix = function();
    let (storage, function) = (vis.port(), msix.port());
    let print = |what: &str, vis: f64, msix: f64| {
        println!(
            "{what:28} {vis:7.1} ns   MSI-X {msix:6.1} ns   x {:.2}",
            vis / msix
        );
    };

    let open = measure(|_| {
        let _ = function.raise(3);
    });
    print("raise a vector", measure(|_| storage.raise(3)), open);
    let event = measure(|_| {
        storage.event(Event::Used(0));
    });
    print("raise a queue's", event, open);
    let spread = measure(|round| {
        let _ = function.raise((round % VECTORS) as u16);
    });
    print(
        "raise 64 by turns",
        measure(|round| storage.raise(round % VECTORS)),
        spread,
    );

    write(&ram, u64::from(GATES + (3 << SHIFT)), MASK);
    msix.write_table(3 * 16 + 12, &1u32.to_le_bytes());
    let held = measure(|_| {
        let _ = function.raise(3);
    });
    print("raise a masked one", measure(|_| storage.raise(3)), held);

    let start = Instant::now();
    for _ in 0..1000 {
        vis.write(register::COMMAND, Command::Update.with(ALL));
    }
    println!(
        "UPDATE of all {VECTORS}             {:7.1} ns",
        start.elapsed().as_secs_f64() * 1e6
    );
    let start = Instant::now();
    for _ in 0..1000 {
        vis.write(register::COMMAND, Command::Update.with(1));
    }
    println!(
        "UPDATE of one               {:7.1} ns",
        start.elapsed().as_secs_f64() * 1e6
    );
}
