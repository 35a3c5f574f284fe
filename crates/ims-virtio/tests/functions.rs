// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A block device in functions that a client drives: registers by its endpoint, the
//! rings and data in its memory, interrupts by its triggers or as writes to it.
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

mod functions_client;

use std::sync::Arc;

use functions_client::backing::{Backing, Scratch};
use functions_client::{Client, Memory, memory};
use ims_vfio::layout::irq;
use ims_virtio::layout::msi::Layout;
use ims_virtio::vfio::{MmioFunction, MmioFunctionOptions, PciFunction, PciOptions};
use ims_virtio::{MmioOptions, msi, vis};
use ims_virtio_driver::block::{self as driver_block, BlockQueue, Request, Segment};
use ims_virtio_driver::interrupts::{Accept, Chosen, Mode, Plan, area_bytes};
use ims_virtio_driver::shared::Window;
use ims_virtio_driver::transport::{Mmio, Pci, Transport};
use ims_virtio_driver::{Device, Message};
use vm_memory::{Bytes, GuestAddress};

/// Where the area of VIS is.
const AREA: u64 = 0x10_0000;
/// Where queue 0 has its memory; the others follow.
const QUEUES: u64 = 0x20_0000;
/// Bytes of memory of a queue: its rings, then its data.
const QUEUE: u64 = 0x2_0000;
const QUEUE_COUNT: u16 = 3;
const VECTORS: u32 = 4;
/// Bytes of a request.
const PIECE: usize = 8192;
const DISK: u64 = PIECE as u64 * 16;

type Queue = BlockQueue<Window<Memory>, Client, 64>;

fn message(vector: u32) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(vector) << 12,
        data: 0x4100 | vector,
    }
}

struct Driven<T: Transport<Registers = Client>> {
    device: Device<T>,
    queues: Vec<Queue>,
    chosen: Chosen<Client, Window<Memory>>,
}

fn window(memory: &Memory, address: u64, length: usize) -> Window<Memory> {
    Window::new(Arc::clone(memory), address, length).unwrap()
}

/// Configuration on vector 0, queue n on n + 1.
fn drive<T: Transport<Registers = Client>>(
    transport: T,
    memory: &Memory,
    accept: Accept,
) -> Driven<T> {
    let device = Device::begin(transport, driver_block::FEATURES, accept).unwrap();
    let queues = (0..QUEUE_COUNT)
        .map(|index| {
            let at = QUEUES + QUEUE * u64::from(index);
            let shared = window(memory, at, driver_block::bytes(64, 0));
            BlockQueue::new(&device, index, shared, 64, 0).unwrap()
        })
        .collect();
    let messages: Vec<_> = (0..VECTORS).map(message).collect();
    let map: Vec<_> = (1..VECTORS).collect();
    let plan = Plan {
        messages: &messages,
        queues: &map,
        config: 0,
    };
    let area = window(memory, AREA, area_bytes(VECTORS as u16, QUEUE_COUNT));
    let chosen = device.interrupts(&plan, Some(area)).unwrap();
    device.start().unwrap();
    Driven {
        device,
        queues,
        chosen,
    }
}

/// Makes a request, and waits for it by interrupts alone.
fn request(queue: &mut Queue, request: Request, at: u64, mut interrupt: impl FnMut()) {
    let segment = Segment {
        address: at,
        length: PIECE as u32,
    };
    queue.submit(request, &[segment]).unwrap();
    queue.kick();
    loop {
        interrupt();
        if let Some(completion) = queue.complete().unwrap() {
            assert_eq!(completion.result, Ok(()));
            // And none again, so that the next one interrupts.
            assert_eq!(queue.complete().unwrap(), None);
            return;
        }
    }
}

/// Each queue writes a piece of the disk and reads it back, a few times. `interrupt`
/// waits for the interrupt of a queue.
fn read_and_write(
    memory: &Memory,
    queues: &mut [Queue],
    scratch: &Scratch,
    mut interrupt: impl FnMut(u16),
) {
    for round in 0..5_u8 {
        for (index, queue) in (0_u16..).zip(&mut *queues) {
            let from = QUEUES + QUEUE * u64::from(index) + 0x1_0000;
            let to = from + PIECE as u64;
            let written: Vec<u8> = (0..PIECE)
                .map(|at| (at / 7) as u8 ^ round.wrapping_mul(31) ^ index as u8)
                .collect();
            memory.write_slice(&written, GuestAddress(from)).unwrap();
            memory
                .write_slice(&vec![0; PIECE], GuestAddress(to))
                .unwrap();
            let sector = u64::from(index) * (PIECE as u64 / 512);
            request(queue, Request::Write { sector }, from, || interrupt(index));
            request(queue, Request::Read { sector }, to, || interrupt(index));
            let mut read = vec![0; PIECE];
            memory.read_slice(&mut read, GuestAddress(to)).unwrap();
            assert!(read == written, "queue {index}, round {round}");
            let begin = PIECE * usize::from(index);
            assert!(scratch.contents()[begin..begin + PIECE] == written);
        }
    }
}

/// Whatever this layout has.
fn all(layout: Layout) -> Accept {
    Accept {
        vis: true,
        msi: Some(layout),
        notification: true,
        msix: true,
    }
}

fn ram() -> Memory {
    memory(QUEUES + QUEUE * u64::from(QUEUE_COUNT))
}

fn offers(msi: bool, vis: bool) -> MmioFunctionOptions {
    let layout = Layout::CLEAR;
    MmioFunctionOptions {
        mmio: MmioOptions {
            msi: msi.then_some(msi::Offer {
                layout,
                vectors: VECTORS,
                sharing: false,
                notification: None,
            }),
            vis: vis.then_some(vis::Offer { vectors: VECTORS }),
            ..MmioOptions::default()
        },
        ..MmioFunctionOptions::default()
    }
}

/// A disk in a function, and its client.
struct Rig<F> {
    scratch: Scratch,
    function: Arc<F>,
    memory: Memory,
    client: Client,
    _backing: Backing,
}

impl<F: ims_vfio::Device> Rig<F> {
    fn new(of: impl FnOnce(Arc<ims_virtio::block::Block>) -> F) -> Self {
        let backing = Backing::new();
        let scratch = Scratch::new(DISK);
        let function = Arc::new(of(backing.block(&scratch, QUEUE_COUNT)));
        let memory = ram();
        let client = Client::new(function.clone(), &memory);
        Self {
            scratch,
            function,
            memory,
            client,
            _backing: backing,
        }
    }
}

type Block = ims_virtio::block::Block;

fn pci() -> Rig<PciFunction<Block>> {
    Rig::new(|block| PciFunction::new(block, PciOptions::default()).unwrap())
}

fn mmio(msi: bool, vis: bool) -> Rig<MmioFunction<Block>> {
    Rig::new(|block| MmioFunction::new(block, offers(msi, vis)).unwrap())
}

#[test]
fn virtio_pci_reads_and_writes_with_a_trigger_a_queue() {
    let rig = pci();
    let triggers: Vec<_> = (0..VECTORS)
        .map(|vector| rig.client.trigger(irq::MSIX, vector))
        .collect();
    let transport = Pci::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, all(Layout::CLEAR));
    assert_eq!(driven.chosen.interrupts.mode(), Mode::Msix);
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |queue| {
        triggers[usize::from(queue) + 1].wait();
    });
    // Whoever signals and counts has left when the reset is done.
    driven.device.reset().unwrap();
    let signalled: Vec<_> = rig.function.vectors().signalled().collect();
    assert_eq!(signalled, [0, 10, 10, 10]);
    assert_eq!(rig.function.pin_asserted(), 0);
}

#[test]
fn virtio_pci_reads_and_writes_with_the_pin() {
    let rig = pci();
    let pin = rig.client.trigger(irq::INTX, 0);
    let transport = Pci::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, Accept::default());
    let interrupts = driven.chosen.interrupts;
    assert_eq!(interrupts.mode(), Mode::Single);
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |_| {
        pin.wait();
        interrupts.acknowledge();
        rig.client.unmask_pin();
    });
}

#[test]
fn virtio_mmio_reads_and_writes_with_the_pin() {
    let rig = mmio(true, true);
    let pin = rig.client.trigger(irq::INTX, 0);
    let transport = Mmio::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, Accept::default());
    let interrupts = driven.chosen.interrupts;
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |_| {
        pin.wait();
        interrupts.acknowledge();
        rig.client.unmask_pin();
    });
    assert_eq!(rig.client.messages.count(), 0);
}

#[test]
fn virtio_mmio_reads_and_writes_with_its_single_interrupt_as_a_vector() {
    let rig = mmio(false, false);
    let vector = rig.client.trigger(irq::MSIX, 0);
    rig.client.enable_msix();
    let transport = Mmio::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, all(Layout::CLEAR));
    let interrupts = driven.chosen.interrupts;
    assert_eq!(interrupts.mode(), Mode::Single);
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |_| {
        vector.wait();
        interrupts.acknowledge();
    });
    assert_eq!(rig.function.pin_asserted(), 0);
}

/// By messages, each queue's own.
fn messages_arrive(rig: &Rig<MmioFunction<Block>>, mode: Mode) {
    let transport = Mmio::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, all(Layout::CLEAR));
    assert_eq!(driven.chosen.interrupts.mode(), mode);
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |queue| {
        let Message { address, data } = message(u32::from(queue) + 1);
        rig.client.messages.wait(address, data);
    });
    driven.device.reset().unwrap();
    assert_eq!(rig.client.messages.count(), 0);
}

#[test]
fn msi_arrives_as_writes_a_message_a_queue() {
    let rig = mmio(true, false);
    messages_arrive(&rig, Mode::Msi);
    assert_eq!(rig.function.messages().sent(), 30);
    assert_eq!(rig.function.messages().failed(), 0);
}

#[test]
fn vis_arrives_as_writes_a_message_a_queue() {
    let rig = mmio(true, true);
    messages_arrive(&rig, Mode::Vis);
    assert_eq!(rig.function.messages().sent(), 30);
}

#[test]
fn the_next_client_drives_the_device_anew() {
    let rig = mmio(true, true);
    messages_arrive(&rig, Mode::Vis);
    rig.client.go();
    assert_eq!(rig.function.mode(), ims_virtio::Mode::Line);
    rig.client.come(&rig.memory);
    messages_arrive(&rig, Mode::Vis);
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_request_is_let_go_and_the_next_one_served() {
    let rig = mmio(true, true);
    for _ in 0..20 {
        let transport = Mmio::find(rig.client.clone()).unwrap();
        let mut driven = drive(transport, &rig.memory, all(Layout::CLEAR));
        for queue in &mut driven.queues {
            let segment = Segment {
                address: QUEUES + 0x1_0000,
                length: PIECE as u32,
            };
            queue
                .submit(Request::Read { sector: 0 }, &[segment])
                .unwrap();
            queue.kick();
        }
        rig.client.go();
        rig.client.come(&rig.memory);
    }
    let before = rig.client.messages.count();
    assert!(before <= 60, "{before}");
    let transport = Mmio::find(rig.client.clone()).unwrap();
    let mut driven = drive(transport, &rig.memory, Accept::default());
    let pin = rig.client.trigger(irq::INTX, 0);
    let interrupts = driven.chosen.interrupts;
    read_and_write(&rig.memory, &mut driven.queues, &rig.scratch, |_| {
        pin.wait();
        interrupts.acknowledge();
        rig.client.unmask_pin();
    });
}
