// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the specification of interrupt storage asks of drivers, of this repository's
//! own: over a transport that sees each access, and one that is slow to act on them.
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

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink};
use ims_vfio::Hold;
use ims_virtio::layout::vis::{Command, MASK, PENDING, header, message as entry, register, state};
use ims_virtio::mmio::{Mmio, MmioOptions};
use ims_virtio::vis::Offer;
use ims_virtio::{Device, Line, Setup, StartError};
use ims_virtio_driver::interrupts::{Accept, Chosen, Interrupts, Mode, Plan, Refusal, area_bytes};
use ims_virtio_driver::shared::{Shared, Window};
use ims_virtio_driver::transport::Mmio as Transport;
use ims_virtio_driver::{Device as Driver, Message as DriverMessage, Registers};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const AREA: u64 = 0x4000;
const QUEUES: usize = 3;
const VECTORS: usize = 4;

type Ram = Arc<GuestMemoryMmap<()>>;
type Block = Mmio<Ram, Quiet, Arc<Sent>, Pin>;

/// A device that does nothing.
struct Quiet;

impl Device<Ram> for Quiet {
    fn id(&self) -> u32 {
        4
    }
    fn features(&self) -> u64 {
        0
    }
    fn queues(&self) -> &[u16] {
        &[16; QUEUES]
    }
    fn read_config(&self, _offset: u64, into: &mut [u8]) {
        into.fill(0);
    }
    fn start(&self, _setup: Setup<Ram>) -> Result<(), StartError> {
        Ok(())
    }
    fn notify(&self, _queue: u16) {}
    fn stop(&self, _hold: Hold) {}
}

struct Pin;

impl Line for Pin {
    fn set(&self, _asserted: bool) {}
}

/// Messages that were sent.
#[derive(Default)]
struct Sent(Mutex<Vec<u32>>);

impl MessageSink for Sent {
    fn send(&self, _: RequesterId, message: Message) -> Answer {
        self.0.lock().unwrap().push(message.data);
        Answer::Accepted(Acceptance::Fresh)
    }
}

impl Sent {
    fn taken(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The register block, each access of which is seen.
struct World {
    block: Arc<Block>,
    ram: Ram,
    sent: Arc<Sent>,
    /// Accesses to registers of interrupt storage.
    accesses: AtomicU64,
    /// Added to each high half of an address.
    astray: AtomicU32,
    /// What is written goes by a thread that takes its time.
    posted: Option<mpsc::Sender<Posted>>,
    /// Commands that were written while another was not done, or with its number.
    early: AtomicU64,
}

/// What is on its way to a device, in order.
enum Posted {
    Write(u64, u32),
    /// A read, which comes back after what was written before.
    Read(mpsc::SyncSender<()>),
}

fn is_vis(offset: u64) -> bool {
    (register::VECTORS..=register::COMMAND).contains(&offset)
}

impl World {
    fn new(offer: Option<u32>) -> Self {
        let ram: Ram =
            Arc::new(GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x10000)]).unwrap());
        let sent = Arc::<Sent>::default();
        let options = MmioOptions {
            vis: offer.map(|vectors| Offer { vectors }),
            ..MmioOptions::default()
        };
        let (memory, sink) = (Arc::clone(&ram), Arc::clone(&sent));
        let block = Mmio::new(Arc::new(Quiet), memory, sink, Pin, options).unwrap();
        Self {
            block: Arc::new(block),
            ram,
            sent,
            accesses: AtomicU64::new(0),
            astray: AtomicU32::new(0),
            posted: None,
            early: AtomicU64::new(0),
        }
    }

    /// As [`World::new`]; commands take effect some time after they were written.
    fn posted() -> Self {
        let mut world = Self::new(Some(8));
        let (sender, receiver) = mpsc::channel();
        let block = Arc::clone(&world.block);
        std::thread::spawn(move || {
            for posted in receiver {
                match posted {
                    Posted::Write(offset, value) => {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                        block.write(offset, &value.to_le_bytes());
                    }
                    Posted::Read(done) => done.send(()).unwrap(),
                }
            }
        });
        world.posted = Some(sender);
        world
    }

    fn field(&self, offset: u64) -> u32 {
        let at = GuestAddress(AREA + offset);
        u32::from_le(self.ram.load(at, Ordering::Acquire).unwrap())
    }

    fn gate(&self, vector: u32) -> u64 {
        let stride = self.field(header::GATE_SHIFT);
        u64::from(self.field(header::GATES)) + (u64::from(vector) << stride)
    }

    fn window(&self) -> Window<Ram> {
        let length = area_bytes(VECTORS as u16, QUEUES as u16);
        Window::new(Arc::clone(&self.ram), AREA, length).unwrap()
    }

    /// A driver that sets its interrupts up.
    fn drive(&self) -> Chosen<&Self, Window<Ram>> {
        let accept = Accept {
            vis: true,
            ..Accept::default()
        };
        let driver = Driver::begin(Transport::find(self).unwrap(), 0, accept).unwrap();
        self.accesses.store(0, Ordering::Relaxed);
        let messages = messages(0x40);
        let plan = Plan {
            messages: &messages,
            queues: &[1, 2, 3],
            config: 0,
        };
        let chosen = driver.interrupts(&plan, Some(self.window())).unwrap();
        driver.start().unwrap();
        chosen
    }

    fn running(&self) -> Interrupts<&Self, Window<Ram>> {
        let chosen = self.drive();
        assert_eq!(chosen.vis, None);
        assert_eq!(chosen.interrupts.mode(), Mode::Vis);
        chosen.interrupts
    }

    fn used(&self, queue: u16) {
        self.block.notifier().used(queue);
    }

    fn accesses(&self) -> u64 {
        self.accesses.swap(0, Ordering::Relaxed)
    }
}

fn messages(data: u32) -> [DriverMessage; VECTORS] {
    std::array::from_fn(|vector| DriverMessage {
        address: 0xfee0_0000 | (vector as u64) << 12,
        data: data + vector as u32,
    })
}

impl Registers for World {
    fn read(&self, _bar: u8, offset: u64, bytes: u8) -> u64 {
        self.accesses
            .fetch_add(is_vis(offset).into(), Ordering::Relaxed);
        if let Some(posted) = &self.posted {
            let (done, wait) = mpsc::sync_channel(1);
            posted.send(Posted::Read(done)).unwrap();
            wait.recv().unwrap();
        }
        let mut into = [0; 8];
        self.block.read(offset, &mut into[..bytes.into()]);
        u64::from_le_bytes(into)
    }

    fn write(&self, _bar: u8, offset: u64, value: u64, bytes: u8) {
        self.accesses
            .fetch_add(is_vis(offset).into(), Ordering::Relaxed);
        let mut value = value as u32;
        if offset == register::ADDRESS_HIGH {
            value = value.wrapping_add(self.astray.load(Ordering::Relaxed));
        }
        let resend = matches!(Command::from_value(value), Some((Command::Resend, _)));
        if offset == register::COMMAND && !resend && self.astray.load(Ordering::Relaxed) == 0 {
            // Done is the one before, whose number is one less.
            let (ask, done) = (self.field(header::ASK), self.field(header::DONE));
            let one_at_a_time = ask.wrapping_sub(done) == 1;
            self.early
                .fetch_add(u64::from(!one_at_a_time), Ordering::Relaxed);
        }
        match &self.posted {
            Some(posted) if offset == register::COMMAND => {
                posted.send(Posted::Write(offset, value)).unwrap();
            }
            _ => self
                .block
                .write(offset, &value.to_le_bytes()[..usize::from(bytes).min(4)]),
        }
    }
}

#[test]
fn a_driver_fills_the_area_before_it_enables_and_asks_for_no_more_than_there_is() {
    let world = World::new(Some(VECTORS as u32));
    // What was there before is the driver's to overwrite.
    let rubbish = vec![0xff; area_bytes(VECTORS as u16, QUEUES as u16)];
    world.ram.write_slice(&rubbish, GuestAddress(AREA)).unwrap();
    let _interrupts = world.running();
    assert_eq!(world.accesses(), 4);
    assert_eq!(world.field(header::VECTORS), VECTORS as u32);
    assert!((0x2c..0x40).step_by(4).all(|at| world.field(at) == 0));
    let first = u64::from(world.field(header::MESSAGES));
    for vector in 0..VECTORS as u64 {
        let at = first + vector * entry::BYTES;
        assert_eq!(world.field(at + entry::DATA), 0x40 + vector as u32);
        assert_eq!(world.field(at + entry::RESERVED), 0);
        assert_eq!(world.field(world.gate(vector as u32)), 0);
    }
    (0..3).for_each(|queue| world.used(queue));
    world.block.notifier().config_changed();
    assert_eq!(world.sent.taken(), [0x41, 0x42, 0x43, 0x40]);

    let world = World::new(Some(VECTORS as u32 - 1));
    let chosen = world.drive();
    assert_eq!(chosen.vis, Some(Refusal::Vectors(VECTORS as u32 - 1)));
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
}

#[test]
fn a_driver_whose_enable_fails_uses_the_single_interrupt() {
    let world = World::new(Some(8));
    world.astray.store(1, Ordering::Relaxed);
    let chosen = world.drive();
    assert!(matches!(chosen.vis, Some(Refusal::Refused(_))));
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    let mut read = [0; 4];
    world.block.read(register::STATE, &mut read);
    assert_eq!(u32::from_le_bytes(read) & state::ENABLED, 0);
    world.used(0);
    let cause = chosen.interrupts.acknowledge();
    assert!(format!("{cause:?}").contains("true"), "{cause:?}");
    assert!(world.sent.taken().is_empty());
}

#[test]
fn a_driver_masks_and_unmasks_without_an_access_and_leaves_other_bits() {
    let world = World::new(Some(8));
    let interrupts = world.running();
    world.accesses();
    let window = world.window();
    let gate = || window.word32(world.gate(2) as usize).unwrap();
    const REST: u32 = !(MASK | PENDING);
    gate().store(REST.to_le(), Ordering::SeqCst);
    let vis = interrupts.as_vis().unwrap();
    vis.mask(2).unwrap();
    assert_eq!(world.field(world.gate(2)), REST | MASK);
    vis.unmask(2).unwrap();
    assert_eq!(world.field(world.gate(2)), REST);
    gate().fetch_or(PENDING.to_le(), Ordering::SeqCst);
    assert!(vis.take(2).unwrap());
    assert_eq!(world.field(world.gate(2)), REST);
    assert_eq!(world.accesses(), 0);
    // While a device at work sets the other bit all the time.
    std::thread::scope(|scope| {
        let raiser = scope.spawn(|| (0..20_000).for_each(|_| world.used(1)));
        let mut kept = 0;
        while !raiser.is_finished() {
            vis.mask(2).unwrap();
            kept += u32::from(vis.take(2).unwrap());
            vis.unmask(2).unwrap();
        }
        assert!(kept < 20_000);
    });
    assert_eq!(world.field(world.gate(2)), REST);
}

#[test]
fn a_driver_that_finds_one_kept_has_it_sent_or_takes_it() {
    let world = World::new(Some(8));
    let interrupts = world.running();
    let vis = interrupts.as_vis().unwrap();
    vis.mask(1).unwrap();
    world.used(0);
    world.accesses();
    vis.unmask(1).unwrap();
    assert_eq!(world.accesses(), 1, "a RESEND");
    assert_eq!(world.sent.taken(), [0x41]);
    vis.mask(1).unwrap();
    world.used(0);
    assert!(vis.take(1).unwrap());
    vis.unmask(1).unwrap();
    assert_eq!(world.accesses(), 0);
    assert!(world.sent.taken().is_empty());
}

#[test]
fn a_driver_waits_for_one_command_before_it_writes_the_next() {
    let world = World::posted();
    let mut interrupts = world.running();
    for round in 1..10 {
        let moves: Vec<_> = (0u32..).zip(messages(round << 8)).collect();
        interrupts.move_all(&moves[1..3]).unwrap();
        world.used(0);
        assert_eq!(world.sent.taken(), [(round << 8) + 1], "done is done");
        interrupts.move_to(3, moves[3].1).unwrap();
        world.used(2);
        assert_eq!(world.sent.taken(), [(round << 8) + 3]);
    }
    assert_eq!(world.early.load(Ordering::Relaxed), 0);
}

#[test]
fn a_driver_has_its_area_back_when_disable_is_done() {
    let world = World::posted();
    let mut interrupts = world.running();
    interrupts.disable().unwrap();
    let length = area_bytes(VECTORS as u16, QUEUES as u16);
    let mine = vec![0x5a; length];
    world.ram.write_slice(&mine, GuestAddress(AREA)).unwrap();
    world.used(0);
    let mut found = vec![0; length];
    world
        .ram
        .read_slice(&mut found, GuestAddress(AREA))
        .unwrap();
    assert!(found == mine, "written to after it was given back");
    assert!(world.sent.taken().is_empty());
}
