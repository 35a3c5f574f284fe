// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver without std against our devices, in every way to interrupt, with real
//! files.
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

mod driver_rig;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use driver_rig::bells::Bells;
use driver_rig::load::{self, Load, PIECE, SLOTS, pattern};
use driver_rig::{
    AREA, Function, Memory, Offer, Pin, QUEUE, QUEUES, Scratch, Wired, all, backing, block, memory,
    mmio, window,
};
use ims::message::Message as Sent;
use ims_virtio::entropy::Entropy;
use ims_virtio::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use ims_virtio::layout::msi::{Layout, Notification};
use ims_virtio_driver::block::{self as driver_block, BlockQueue, Request, Segment};
use ims_virtio_driver::entropy::EntropyQueue;
use ims_virtio_driver::interrupts::{
    Accept, Chosen, InterruptError, Interrupts, Mode, Plan, Refusal, area_bytes,
};
use ims_virtio_driver::shared::Window;
use ims_virtio_driver::transport::{Mmio, Pci, Transport};
use ims_virtio_driver::{Device, Message};
use vm_memory::{Bytes, GuestAddress};

const QUEUE_COUNT: u16 = 4;
const VECTORS: u32 = 5;
const RING: u64 = RING_EVENT_IDX | RING_INDIRECT_DESC;

/// Vector `vector` on CPU `cpu`, as the bells of the test know it.
fn message(vector: u32, cpu: u64) -> Message {
    Message {
        address: 0xfee0_0000 | cpu << 12,
        data: 0x5_0000 | vector,
    }
}

/// What a driver has of a device that runs.
struct Driven<T: Transport<Registers = Wired>> {
    device: Device<T>,
    queues: Vec<load::Queue>,
    chosen: Chosen<Wired, Window<Memory>>,
}

/// Configuration on vector 0, queue n on n + 1.
fn drive<T: Transport<Registers = Wired>>(
    transport: T,
    memory: &Memory,
    wanted: u64,
    accept: Accept,
) -> Driven<T> {
    let device = Device::begin(transport, driver_block::FEATURES | wanted, accept).unwrap();
    let geometry = driver_block::geometry(&device);
    assert_eq!(geometry.queues, QUEUE_COUNT);
    assert_eq!(geometry.sectors, load::disk(QUEUE_COUNT) / 512);
    let queue = |index: u16| {
        let at = QUEUES + QUEUE * u64::from(index);
        let shared = window(memory, at, driver_block::bytes(64, 4));
        BlockQueue::new(&device, index, shared, 64, 4).unwrap()
    };
    let queues = (0..QUEUE_COUNT).map(queue).collect();
    let messages: Vec<_> = (0..VECTORS).map(|vector| message(vector, 0)).collect();
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

/// Every queue on a thread, woken by its own interrupts only, while `meanwhile` is
/// done over and over.
fn load_all(
    memory: &Memory,
    queues: &mut [load::Queue],
    bells: &Bells,
    rounds: u32,
    mut meanwhile: impl FnMut(u32),
) {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(queues)
            .map(|(index, queue)| {
                let bell = bells.bell(u32::from(index) + 1);
                scope.spawn(move || Load::new(memory, index, rounds).run(queue, bell))
            })
            .collect();
        for turn in 0.. {
            if threads.iter().all(|thread| thread.is_finished()) {
                break;
            }
            meanwhile(turn);
        }
    });
}

/// What the disk must hold after so many rounds.
fn check_disk(scratch: &Scratch, rounds: u32) {
    let contents = scratch.contents();
    for queue in 0..QUEUE_COUNT {
        for slot in 0..SLOTS {
            let at = load::PART as usize * 512 * usize::from(queue) + slot * PIECE;
            let expected = pattern(queue, slot, rounds - 1);
            assert!(contents[at..at + PIECE] == expected, "{queue}, {slot}");
        }
    }
}

/// Takes the single interrupt until the pin is closed.
fn serve_pin(pin: &Pin, interrupts: &Interrupts<Wired, Window<Memory>>, bells: &Bells) {
    while pin.wait() {
        if interrupts.acknowledge().used {
            bells.ring_all();
        }
    }
}

/// A device, and where its interrupts arrive.
struct Rig {
    scratch: Scratch,
    memory: Memory,
    bells: Arc<Bells>,
    pin: Arc<Pin>,
    registers: Wired,
    _backing: driver_rig::Backing,
}

fn rig(
    of: impl FnOnce(Arc<ims_virtio::block::Block>, &Memory, Arc<Bells>, Arc<Pin>) -> Wired,
) -> Rig {
    let scratch = Scratch::new(load::disk(QUEUE_COUNT));
    let backing = backing();
    let memory = memory(QUEUE_COUNT);
    let (bells, pin) = (Arc::new(Bells::new(VECTORS)), Arc::new(Pin::default()));
    let device = block(&scratch, &backing, QUEUE_COUNT);
    let registers = of(device, &memory, Arc::clone(&bells), Arc::clone(&pin));
    Rig {
        scratch,
        memory,
        bells,
        pin,
        registers,
        _backing: backing,
    }
}

fn mmio_rig(offer: Offer) -> Rig {
    rig(|device, memory, bells, pin| mmio(device, memory, bells, pin, offer))
}

fn pci_rig(vectors: u16) -> Rig {
    rig(|device, memory, bells, pin| Function::wired(device, memory, bells, pin, vectors))
}

/// Loads all queues while vectors are masked, unmasked and moved; then moves all to
/// one place and sees them arrive there and nowhere else.
fn messages_work<T: Transport<Registers = Wired>>(
    rig: &Rig,
    transport: T,
    wanted: u64,
    accept: Accept,
    mode: Mode,
) -> T {
    let Driven {
        device,
        mut queues,
        chosen,
    } = drive(transport, &rig.memory, wanted, accept);
    let mut interrupts = chosen.interrupts;
    assert_eq!(interrupts.mode(), mode);
    let rises = rig.pin.rises();
    load_all(&rig.memory, &mut queues, &rig.bells, 12, |turn| {
        let vector = 1 + turn % (VECTORS - 1);
        interrupts.mask(vector).unwrap();
        if turn % 3 == 0 {
            let there = message(vector, u64::from(turn % 4));
            interrupts.move_to(vector, there).unwrap();
        }
        thread::yield_now();
        interrupts.unmask(vector).unwrap();
    });
    check_disk(&rig.scratch, 12);
    let moves: Vec<_> = (0..VECTORS)
        .map(|vector| (vector, message(vector, 9)))
        .collect();
    interrupts.move_all(&moves).unwrap();
    rig.bells.take_log();
    load_all(&rig.memory, &mut queues, &rig.bells, 3, |_| {
        thread::yield_now()
    });
    check_disk(&rig.scratch, 3);
    let log = rig.bells.take_log();
    for vector in 1..VECTORS {
        let Message { address, data } = message(vector, 9);
        assert!(log.get(&Sent { address, data }).is_some_and(|n| *n > 0));
    }
    assert_eq!(log.len(), VECTORS as usize - 1, "{log:?}");
    assert_eq!(rig.pin.rises(), rises);
    device.reset().unwrap()
}

/// The same with one interrupt for everything.
fn single_works<T: Transport<Registers = Wired>>(
    rig: &Rig,
    transport: T,
    accept: Accept,
    check: impl Fn(&Chosen<Wired, Window<Memory>>),
) -> T {
    let driven = drive(transport, &rig.memory, RING, accept);
    let (mut queues, chosen) = (driven.queues, driven.chosen);
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    check(&chosen);
    let rises = rig.pin.rises();
    rig.bells.take_log();
    let opened = rig.pin.open();
    thread::scope(|scope| {
        let _close = opened;
        scope.spawn(|| serve_pin(&rig.pin, &chosen.interrupts, &rig.bells));
        load_all(&rig.memory, &mut queues, &rig.bells, 4, |_| {
            thread::yield_now()
        });
    });
    check_disk(&rig.scratch, 4);
    assert!(rig.pin.rises() > rises);
    assert_eq!(rig.bells.take_log(), HashMap::new());
    driven.device.reset().unwrap()
}

fn find_mmio(rig: &Rig) -> Mmio<Wired> {
    Mmio::find(rig.registers.clone()).unwrap()
}

fn find_pci(rig: &Rig) -> Pci<Wired> {
    Pci::find(rig.registers.clone()).unwrap()
}

const VIS: Offer = Offer {
    vis: true,
    ..Offer::nothing()
};

const fn msi(layout: Layout, sharing: bool) -> Offer {
    Offer {
        msi: Some((layout, sharing)),
        ..Offer::nothing()
    }
}

#[test]
fn vis_loses_nothing_while_vectors_are_masked_and_moved() {
    let rig = mmio_rig(VIS);
    for wanted in [0, RING_EVENT_IDX, RING_INDIRECT_DESC, RING] {
        messages_work(&rig, find_mmio(&rig), wanted, all(Layout::CLEAR), Mode::Vis);
    }
}

#[test]
fn msi_of_every_layout_loses_nothing_while_vectors_are_masked_and_moved() {
    for layout in [Layout::CLEAR, Layout::KERNEL, Layout::TEXT] {
        for sharing in [true, false] {
            let rig = mmio_rig(msi(layout, sharing));
            messages_work(&rig, find_mmio(&rig), RING, all(layout), Mode::Msi);
        }
    }
}

#[test]
fn msi_with_notification_offsets_notifies_there() {
    let offsets = Notification {
        base: 0x1000,
        multiplier: 4,
    };
    let rig = mmio_rig(Offer {
        notification: Some(offsets),
        ..msi(Layout::CLEAR, true)
    });
    messages_work(&rig, find_mmio(&rig), RING, all(Layout::CLEAR), Mode::Msi);
}

#[test]
fn msix_loses_nothing_while_vectors_are_masked_and_moved() {
    let rig = pci_rig(8);
    for wanted in [0, RING] {
        messages_work(&rig, find_pci(&rig), wanted, all(Layout::CLEAR), Mode::Msix);
    }
}

#[test]
fn the_single_interrupt_of_both_transports_serves_all_queues() {
    let asked_for_nothing = |chosen: &Chosen<_, _>| {
        assert_eq!((chosen.vis, chosen.msi, chosen.msix), (None, None, None));
    };
    let rig = mmio_rig(VIS);
    single_works(&rig, find_mmio(&rig), Accept::default(), asked_for_nothing);
    let rig = pci_rig(8);
    single_works(&rig, find_pci(&rig), Accept::default(), asked_for_nothing);
}

#[test]
fn a_device_with_neither_vis_nor_msi_is_driven_by_its_single_interrupt() {
    let rig = mmio_rig(Offer::nothing());
    let not = Some(Refusal::NotOffered);
    single_works(&rig, find_mmio(&rig), all(Layout::CLEAR), |chosen| {
        assert_eq!((chosen.vis, chosen.msi), (not, not));
    });
}

#[test]
fn a_driver_without_vis_takes_the_msi_of_the_same_device_and_then_the_vis() {
    let rig = mmio_rig(Offer {
        vis: true,
        ..msi(Layout::CLEAR, true)
    });
    let layout = Layout::CLEAR;
    let without = Accept {
        vis: false,
        ..all(layout)
    };
    let transport = messages_work(&rig, find_mmio(&rig), RING, without, Mode::Msi);
    let transport = messages_work(&rig, transport, RING, all(layout), Mode::Vis);
    single_works(&rig, transport, Accept::default(), |_| {});
}

#[test]
fn an_area_outside_memory_is_refused_and_the_single_interrupt_works() {
    let rig = mmio_rig(VIS);
    let accept = all(Layout::CLEAR);
    let elsewhere = elsewhere();
    let device = Device::begin(find_mmio(&rig), driver_block::FEATURES, accept).unwrap();
    let messages: Vec<_> = (0..VECTORS).map(|vector| message(vector, 0)).collect();
    let map: Vec<_> = (1..VECTORS).collect();
    let plan = Plan {
        messages: &messages,
        queues: &map,
        config: 0,
    };
    let chosen = device.interrupts(&plan, Some(elsewhere)).unwrap();
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    // The device cannot say so where it cannot write: the register does.
    let area = InterruptError::Answered { error: 2, index: 0 };
    assert_eq!(chosen.vis, Some(Refusal::Refused(area)));
    let transport = device.reset().unwrap();
    single_works(&rig, transport, Accept::default(), |_| {});
}

/// Memory that the driver has and the device does not.
fn elsewhere() -> Window<Memory> {
    let ranges = [(GuestAddress(1 << 40), 0x1_0000)];
    let memory = vm_memory::GuestMemoryMmap::from_ranges(&ranges).unwrap();
    Window::new(Arc::new(memory), 1 << 40, 0x1_0000).unwrap()
}

#[test]
fn a_device_with_too_few_vectors_is_driven_by_its_single_interrupt() {
    let few = Some(Refusal::Vectors(3));
    let rig = mmio_rig(Offer {
        vectors: 3,
        vis: true,
        ..msi(Layout::CLEAR, true)
    });
    single_works(&rig, find_mmio(&rig), all(Layout::CLEAR), |chosen| {
        assert_eq!((chosen.vis, chosen.msi), (few, few));
    });
    let rig = pci_rig(3);
    single_works(&rig, find_pci(&rig), all(Layout::CLEAR), |chosen| {
        assert_eq!(chosen.msix, few);
    });
}

#[test]
fn a_driver_that_disables_messages_goes_on_with_the_single_interrupt() {
    for offer in [VIS, msi(Layout::CLEAR, true)] {
        let rig = mmio_rig(offer);
        let driven = drive(find_mmio(&rig), &rig.memory, RING, all(Layout::CLEAR));
        let (mut queues, mut interrupts) = (driven.queues, driven.chosen.interrupts);
        assert_ne!(interrupts.mode(), Mode::Single);
        interrupts.disable().unwrap();
        rig.bells.take_log();
        // Its status is read as that of any single interrupt.
        let line = drive_line(&rig);
        let opened = rig.pin.open();
        thread::scope(|scope| {
            let _close = opened;
            scope.spawn(|| {
                while rig.pin.wait() {
                    line(&rig.bells);
                }
            });
            load_all(&rig.memory, &mut queues, &rig.bells, 2, |_| {
                thread::yield_now()
            });
        });
        check_disk(&rig.scratch, 2);
        assert_eq!(rig.bells.take_log(), HashMap::new());
    }
}

/// Acknowledges by the registers themselves.
fn drive_line(rig: &Rig) -> impl Fn(&Bells) + '_ {
    use ims_virtio::layout::mmio::{INTERRUPT_ACK, INTERRUPT_STATUS};
    use ims_virtio_driver::Registers;
    |bells| {
        let status = rig.registers.read(0, INTERRUPT_STATUS, 4);
        rig.registers.write(0, INTERRUPT_ACK, status, 4);
        bells.ring_all();
    }
}

#[test]
fn a_masked_vector_of_vis_keeps_its_interrupt_until_it_is_unmasked_or_taken() {
    let rig = mmio_rig(VIS);
    let mut driven = drive(find_mmio(&rig), &rig.memory, 0, all(Layout::CLEAR));
    let interrupts = &mut driven.chosen.interrupts;
    let mut queues = driven.queues;
    let request = |queue: &mut load::Queue| {
        queue.submit(Request::Flush, &[]).unwrap();
        queue.kick();
        while queue.complete().unwrap().is_none() {
            thread::yield_now();
        }
    };
    let bell = rig.bells.bell(1);
    interrupts.mask(1).unwrap();
    for by_the_driver in [false, true] {
        request(&mut queues[0]);
        let vis = interrupts.as_vis().unwrap();
        // Completed is seen before the interrupt: it may be on its way.
        if by_the_driver {
            while !vis.take(1).unwrap() {
                thread::yield_now();
            }
            assert_eq!(bell.count(), 1);
        } else {
            assert_eq!(bell.count(), 0);
            let mut seen = 0;
            vis.unmask(1).unwrap();
            assert!(bell.wait(&mut seen));
            vis.mask(1).unwrap();
        }
    }
}

#[test]
fn a_request_the_disk_does_not_have_fails_and_the_next_one_does_not() {
    let rig = mmio_rig(VIS);
    let driven = drive(find_mmio(&rig), &rig.memory, RING, all(Layout::CLEAR));
    let mut queues = driven.queues;
    let queue = &mut queues[0];
    let data = QUEUES + load::DATA;
    let segment = |length| Segment {
        address: data,
        length,
    };
    let one = |queue: &mut load::Queue, request, data: &[Segment]| {
        let token = queue.submit(request, data).unwrap();
        queue.kick();
        loop {
            if let Some(completion) = queue.complete().unwrap() {
                assert_eq!(completion.token, token);
                return completion.result;
            }
            thread::yield_now();
        }
    };
    let beyond = load::disk(QUEUE_COUNT) / 512;
    let failed = Err(driver_block::RequestError::Failed);
    assert_eq!(
        one(queue, Request::Read { sector: beyond }, &[segment(512)]),
        failed
    );
    assert_eq!(
        one(queue, Request::Read { sector: 0 }, &[segment(512)]),
        Ok(())
    );
    assert_eq!(one(queue, Request::Flush, &[]), Ok(()));
    assert_eq!(one(queue, Request::Id, &[segment(20)]), Ok(()));
    let mut id = [0; 20];
    rig.memory.read_slice(&mut id, GuestAddress(data)).unwrap();
    assert!(id.starts_with(b"a disk of the test"));
    for (request, data) in [
        (Request::Read { sector: 0 }, &[][..]),
        (Request::Read { sector: 0 }, &[segment(100)]),
        (Request::Write { sector: 0 }, &[segment(512), segment(0)]),
        (Request::Flush, &[segment(512)]),
        (Request::Id, &[segment(21)]),
    ] {
        let refused = queue.submit(request, data);
        assert_eq!(refused, Err(driver_block::SubmitError::Data), "{request:?}");
    }
}

#[test]
fn entropy_comes_by_every_way_to_interrupt() {
    fn ask<T: Transport<Registers = Wired>>(
        transport: T,
        accept: Accept,
        mode: Mode,
        memory: &Memory,
        bells: &Bells,
        pin: &Pin,
    ) -> T {
        let device = Device::begin(transport, RING_EVENT_IDX, accept).unwrap();
        assert_eq!(device.transport().kind(), ims_virtio_driver::entropy::KIND);
        let shared = window(memory, QUEUES, 0x1000);
        let mut queue = EntropyQueue::<_, _, 64>::new(&device, shared, 16).unwrap();
        let plan = Plan {
            messages: &[message(0, 0), message(1, 0)],
            queues: &[1],
            config: 0,
        };
        let area = window(memory, AREA, area_bytes(2, 1));
        let interrupts = device.interrupts(&plan, Some(area)).unwrap().interrupts;
        assert_eq!(interrupts.mode(), mode);
        device.start().unwrap();
        let mut seen = bells.bell(1).count();
        let data = QUEUES + 0x8000;
        memory.write_slice(&[0; 512], GuestAddress(data)).unwrap();
        let token = queue.ask(data, 512).unwrap();
        if mode == Mode::Single {
            assert!(pin.wait());
            assert!(interrupts.acknowledge().used);
            assert!(pin.wait_low());
        } else {
            assert!(bells.bell(1).wait(&mut seen));
        }
        let used = queue.complete().unwrap().unwrap();
        assert_eq!((used.token, used.written), (token, 512));
        let mut bytes = [0; 512];
        memory.read_slice(&mut bytes, GuestAddress(data)).unwrap();
        // 512 random bytes of which 300 are zero do not happen.
        assert!(bytes.iter().filter(|byte| **byte != 0).count() > 300);
        device.reset().unwrap()
    }

    let backing = backing();
    let memory = memory(1);
    let (bells, pin) = (Arc::new(Bells::new(2)), Arc::new(Pin::default()));
    let entropy = || Arc::new(Entropy::new(backing.interrupts.clone()).unwrap());
    let offer = Offer {
        vis: true,
        ..msi(Layout::CLEAR, true)
    };
    let registers = mmio(
        entropy(),
        &memory,
        Arc::clone(&bells),
        Arc::clone(&pin),
        offer,
    );
    let layout = Layout::CLEAR;
    let mut transport = Mmio::find(registers).unwrap();
    let without = Accept {
        vis: false,
        ..all(layout)
    };
    for (accept, mode) in [
        (all(layout), Mode::Vis),
        (without, Mode::Msi),
        (Accept::default(), Mode::Single),
    ] {
        transport = ask(transport, accept, mode, &memory, &bells, &pin);
    }
    let registers = Function::wired(entropy(), &memory, Arc::clone(&bells), Arc::clone(&pin), 2);
    let transport = Pci::find(registers).unwrap();
    let transport = ask(transport, all(layout), Mode::Msix, &memory, &bells, &pin);
    ask(
        transport,
        Accept::default(),
        Mode::Single,
        &memory,
        &bells,
        &pin,
    );
}

#[test]
fn queues_may_be_masked_by_their_own_cpus_at_the_same_time() {
    let rig = mmio_rig(VIS);
    let driven = drive(find_mmio(&rig), &rig.memory, RING, all(Layout::CLEAR));
    let mut queues = driven.queues;
    let vis = driven.chosen.interrupts.as_vis().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for vector in 1..VECTORS {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    vis.mask(vector).unwrap();
                    thread::yield_now();
                    vis.unmask(vector).unwrap();
                    thread::yield_now();
                }
            });
        }
        load_all(&rig.memory, &mut queues, &rig.bells, 8, |_| {
            thread::yield_now()
        });
        done.store(true, Ordering::Relaxed);
    });
    check_disk(&rig.scratch, 8);
}
