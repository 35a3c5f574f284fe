// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A sender that cannot look at gates: somebody who has an eventfd and nothing else.
//! KVM must not read it (it would not look either), so it is watched, and raised by one
//! who looks. On a real guest that takes every interrupt.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ims::message::{Message, RequesterId};
use ims_kvm::machine::{Bus, Config, Irqchip, Machine, MachineError};
use ims_kvm::{Interrupts, Lines, Options, Signal, Target};
use ims_virtio::layout::vis::{Command, MASK, PENDING, header, message, register};
use ims_virtio::vis::{Offer, Vis, VisPort};
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, Permissions, VolatileMemory};

const VECTORS: u32 = 4;
/// The guest's vector for vector 0.
const FIRST: u8 = 0x50;
const SHIFT: u32 = 6;
const MESSAGES: u32 = 0x100;
const MAP: u32 = 0x80;
const GATES: u32 = 0x200;

type Ram = Arc<GuestMemoryMmap<()>>;
type Store = Vis<Ram, Signal>;

struct Nothing;

impl Bus for Nothing {}

/// Vectors of interrupt storage, as the targets of eventfds.
struct Looking(VisPort<Ram, Signal>);

impl Target for Looking {
    fn raise(&self, index: u32) {
        self.0.raise(index);
    }

    /// Never: KVM does not look at the gate.
    fn message(&self, _index: u32) -> Option<(RequesterId, Message)> {
        None
    }
}

struct World {
    machine: Machine,
    ram: Ram,
    area: u64,
    interrupts: Interrupts,
    vis: Store,
    lines: Lines,
}

impl World {
    fn or_skip(test: &str) -> Option<Self> {
        let config = Config {
            vcpus: 1,
            irqchip: Irqchip::InKernel,
            x2apic: false,
            words: VECTORS,
            memory: 2 << 20,
            notify: false,
        };
        let machine = match Machine::start(config, Arc::new(Nothing)) {
            Ok(machine) => machine,
            Err(error @ (MachineError::NoKvm(_) | MachineError::Lacks { .. })) => {
                eprintln!("SKIPPED {test}: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let ram = Arc::new(machine.memory().clone());
        let interrupts = Interrupts::new(Arc::clone(machine.vm()), Options::default()).unwrap();
        let offer = Offer { vectors: VECTORS };
        let (memory, signal) = (Arc::clone(&ram), interrupts.signal());
        let vis = Vis::new(offer, VECTORS as u16, RequesterId(0), memory, signal).unwrap();
        let target = Arc::new(Looking(vis.port()));
        let lines = interrupts.lines(target, VECTORS);
        let mut world = Self {
            area: machine.own_memory(),
            machine,
            ram,
            interrupts,
            vis,
            lines,
        };
        world.enable();
        Some(world)
    }

    /// The driver: vector `n` is the guest's `FIRST + n`, whose handler scans word `n`.
    fn enable(&mut self) {
        for (field, value) in [
            (header::VECTORS, VECTORS),
            (header::QUEUES, VECTORS),
            (header::CONFIG_VECTOR, u32::MAX),
            (header::GATE_SHIFT, SHIFT),
            (header::MESSAGES, MESSAGES),
            (header::MAP, MAP),
            (header::GATES, GATES),
            (header::LENGTH, GATES + (VECTORS << SHIFT)),
        ] {
            self.write(field, value);
        }
        for vector in 0..VECTORS {
            let guests = FIRST + vector as u8;
            self.machine.scan(0, guests, vector, 1);
            let sent = self.machine.message(0, guests);
            let at = u64::from(MESSAGES + vector * 16);
            self.write(at + message::ADDRESS, sent.address as u32);
            self.write(at + message::DATA, sent.data);
        }
        self.vis.write(register::ADDRESS_LOW, self.area as u32);
        self.vis
            .write(register::ADDRESS_HIGH, (self.area >> 32) as u32);
        self.vis.write(register::COMMAND, Command::Enable.with(0));
        assert!(self.vis.enabled());
    }

    fn write(&self, offset: u64, value: u32) {
        let at = GuestAddress(self.area + offset);
        self.ram
            .store(value.to_le(), at, Ordering::Release)
            .unwrap();
    }

    fn gate<T>(&self, vector: u32, with: impl Fn(&AtomicU32) -> T) -> T {
        let at = GuestAddress(self.area + u64::from(GATES + (vector << SHIFT)));
        let mut slices = self.ram.get_slices(at, 4, Permissions::ReadWrite).unwrap();
        let slice = slices.next().unwrap().unwrap();
        with(slice.get_atomic_ref::<AtomicU32>(0).unwrap())
    }

    fn mask(&self, vector: u32) {
        self.gate(vector, |gate| gate.fetch_or(MASK, Ordering::AcqRel));
    }

    fn unmask(&mut self, vector: u32) {
        let before = self.gate(vector, |gate| gate.fetch_and(!MASK, Ordering::AcqRel));
        if before & PENDING != 0 {
            self.vis
                .write(register::COMMAND, Command::Resend.with(vector));
        }
    }

    fn interrupts(&self, vector: u32) -> u64 {
        self.machine.interrupts(0, FIRST + vector as u8)
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn an_eventfd_that_looks_at_nothing_is_masked_by_memory() {
    let Some(mut world) = World::or_skip("an_eventfd_that_looks_at_nothing_is_masked_by_memory")
    else {
        return;
    };
    let eventfd = world.lines.eventfd(1).unwrap();
    world.machine.post(64);
    eventfd.write(1).unwrap();
    wait_until("an interrupt", || world.machine.taken(64) == 1);

    world.mask(1);
    // A command that is done ends what was on its way.
    world.vis.write(register::COMMAND, Command::Update.with(1));
    let before = world.interrupts(1);
    world.machine.post(64);
    eventfd.write(1).unwrap();
    world.lines.drain(1..2);
    let kept = || world.gate(1, |gate| gate.load(Ordering::Acquire)) == MASK | PENDING;
    wait_until("a kept interrupt", kept);
    assert_eq!(world.interrupts(1), before, "masked");
    assert!(world.machine.is_posted(64));
    world.unmask(1);
    wait_until("the kept interrupt", || world.machine.taken(64) == 2);
    assert_eq!(world.interrupts.report().promotions, 0, "KVM reads it");
}

#[test]
fn busy_eventfds_are_never_irqfds_and_lose_nothing() {
    const ROUNDS: u32 = 300;
    let Some(mut world) = World::or_skip("busy_eventfds_are_never_irqfds_and_lose_nothing") else {
        return;
    };
    // As a device that wants the fast path does.
    world.lines.want_routes();
    let eventfds: Vec<_> = (0..VECTORS)
        .map(|vector| world.lines.eventfd(vector).unwrap().try_clone().unwrap())
        .collect();
    let machine = &world.machine;
    let posted: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..VECTORS)
            .zip(&eventfds)
            .map(|(vector, eventfd)| {
                scope.spawn(move || {
                    let mut fresh = 0u64;
                    for round in 0..ROUNDS {
                        fresh += u64::from(machine.post(vector * 64 + round % 8));
                        eventfd.write(1).unwrap();
                        std::thread::sleep(Duration::from_micros(50));
                    }
                    fresh
                })
            })
            .collect();
        // The driver masks and unmasks all the time, by memory.
        let (vis, ram, area) = (&mut world.vis, &world.ram, world.area);
        let gate = |vector: u32| {
            let at = GuestAddress(area + u64::from(GATES + (vector << SHIFT)));
            let mut slices = ram.get_slices(at, 4, Permissions::ReadWrite).unwrap();
            slices.next().unwrap().unwrap()
        };
        for round in 0..ROUNDS {
            let slice = gate(round % VECTORS);
            let word = slice.get_atomic_ref::<AtomicU32>(0).unwrap();
            word.fetch_or(MASK, Ordering::AcqRel);
            std::thread::sleep(Duration::from_micros(100));
            if word.fetch_and(!MASK, Ordering::AcqRel) & PENDING != 0 {
                vis.write(register::COMMAND, Command::Resend.with(round % VECTORS));
            }
        }
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    for (vector, posted) in (0..VECTORS).zip(posted) {
        let taken = || {
            (0..8)
                .map(|bit| machine.taken(vector * 64 + bit))
                .sum::<u64>()
        };
        wait_until("everything posted taken", || taken() == posted);
    }
    let report = world.interrupts.report();
    assert_eq!(
        (report.promotions, report.promoted),
        (0, 0),
        "KVM reads them"
    );
    assert!(report.forwarded > 0);
}
