// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device's messages go through a remap unit to soft CPUs, whose handlers are the
//! driver's completion: what is lost would stop the queue.
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

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use driver_rig::bells::{Bell, PATIENCE};
use driver_rig::load::{self, Load};
use driver_rig::{
    AREA, Function, Offer, Pin, QUEUE, QUEUES, REQUESTER, Scratch, Wired, all, backing, block,
    memory, mmio, window,
};
use ims::domain::{Affinity, DomainError, Kind, Request};
use ims::store::table::Table;
use ims::store::{CookieUse, Slots, Store};
use ims::vector::CpuId;
use ims_host::{Form, Host, HostError, Taken, UnitSink};
use ims_virtio::block::Block;
use ims_virtio::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use ims_virtio::layout::msi::Layout;
use ims_virtio_driver::block::{self as driver_block, BlockQueue};
use ims_virtio_driver::interrupts::{Mode, Plan, area_bytes};
use ims_virtio_driver::transport::{Mmio, Pci, Transport};
use ims_virtio_driver::{Device, Message};

const QUEUE_COUNT: u16 = 4;
const CPUS: u32 = 4;
const ROUNDS: u32 = 12;

/// A queue as its interrupt handler has it.
struct Handled {
    work: Mutex<Option<(load::Queue, Load)>>,
    done: Bell,
}

impl Handled {
    fn handle(&self) {
        let mut work = self.work.lock().unwrap();
        if let Some((queue, load)) = work.as_mut() {
            load.go_on(queue);
            if load.is_done() {
                *work = None;
                self.done.ring();
            }
        }
    }
}

fn through_the_unit<T: Transport<Registers = Wired>>(
    wire: impl FnOnce(Arc<Block>, &driver_rig::Memory, UnitSink, Arc<Pin>) -> Wired,
    find: impl FnOnce(Wired) -> T,
    form: Form,
    mode: Mode,
) {
    let scratch = Scratch::new(load::disk(QUEUE_COUNT));
    let backing = backing();
    let memory = memory(QUEUE_COUNT);
    // The guest's CPUs and its remap unit, whose entries are the driver's to give.
    let guest = Host::new();
    let unit = guest.add_unit(256, 4).unwrap();
    let space = guest.add_space(CPUS, form).unwrap();
    let function = guest.add_device(REQUESTER);
    let table = Table::new(64, CookieUse::Opaque);
    let slots = table.slots();
    let domain = function.add_domain(Kind::Ims, 0, &unit, table).unwrap();
    let handled: Vec<_> = (0..QUEUE_COUNT)
        .map(|_| {
            Arc::new(Handled {
                work: Mutex::default(),
                done: Bell::default(),
            })
        })
        .collect();
    let irqs: Vec<_> = (0_u32..)
        .zip(&handled)
        .map(|(index, handled)| {
            let request = Request::new(space.id).affinity(Affinity::Cpu(CpuId(index % CPUS)));
            let handled = Arc::clone(handled);
            let handler = move |_: Taken| handled.handle();
            domain.alloc(&request, handler).unwrap()
        })
        .collect();
    let messages: Vec<_> = irqs
        .iter()
        .map(|irq| {
            let sent = slots.fetch(irq.index(), 0).unwrap().message;
            Message {
                address: sent.address,
                data: sent.data,
            }
        })
        .collect();

    let pin = Arc::new(Pin::default());
    let device = block(&scratch, &backing, QUEUE_COUNT);
    let registers = wire(device, &memory, guest.sink(&unit), Arc::clone(&pin));
    let wanted = driver_block::FEATURES | RING_EVENT_IDX | RING_INDIRECT_DESC;
    let device = Device::begin(find(registers), wanted, all(Layout::CLEAR)).unwrap();
    for (index, handled) in (0..).zip(&handled) {
        let at = QUEUES + QUEUE * u64::from(index);
        let shared = window(&memory, at, driver_block::bytes(64, 4));
        let queue = BlockQueue::new(&device, index, shared, 64, 4).unwrap();
        let load = Load::new(&memory, index, ROUNDS);
        *handled.work.lock().unwrap() = Some((queue, load));
    }
    let map: Vec<_> = (0..u32::from(QUEUE_COUNT)).collect();
    let plan = Plan {
        messages: &messages,
        queues: &map,
        config: ims_virtio_driver::interrupts::NO_VECTOR,
    };
    let area = window(&memory, AREA, area_bytes(QUEUE_COUNT, QUEUE_COUNT));
    let mut interrupts = device.interrupts(&plan, Some(area)).unwrap().interrupts;
    assert_eq!(interrupts.mode(), mode);
    device.start().unwrap();

    for handled in &handled {
        if let Some((queue, load)) = handled.work.lock().unwrap().as_mut() {
            load.begin(queue);
        }
    }
    let begun = Instant::now();
    let mut turn = 0_u32;
    while handled.iter().any(|handled| handled.done.count() == 0) {
        let index = turn % u32::from(QUEUE_COUNT);
        interrupts.mask(index).unwrap();
        match irqs[index as usize].set_affinity(&Affinity::Cpu(CpuId(turn / 4 % CPUS))) {
            Ok(_) | Err(HostError::Domain(DomainError::Moving)) => {}
            Err(error) => panic!("{error}"),
        }
        guest.settle();
        interrupts.unmask(index).unwrap();
        assert!(begun.elapsed() < PATIENCE, "an interrupt was lost");
        thread::sleep(Duration::from_micros(100));
        turn += 1;
    }
    for (index, irq) in irqs.iter().enumerate() {
        let taken = domain.counts(irq).taken;
        assert!(taken > 0, "queue {index} went on without interrupts");
    }
    assert!(unit.data().faults().take().is_none());
    assert_eq!(pin.rises(), 0);
    device.reset().unwrap();
    let contents = scratch.contents();
    for queue in 0..QUEUE_COUNT {
        for slot in 0..load::SLOTS {
            let at = load::PART as usize * 512 * usize::from(queue) + slot * load::PIECE;
            let expected = load::pattern(queue, slot, ROUNDS - 1);
            assert!(contents[at..at + load::PIECE] == expected);
        }
    }
}

#[test]
fn vis_on_soft_cpus_through_the_remap_unit_loses_nothing() {
    for form in [Form::Apic, Form::Posted] {
        let offer = Offer {
            vis: true,
            ..Offer::nothing()
        };
        through_the_unit(
            |device, memory, unit, pin| mmio(device, memory, unit, pin, offer),
            |wired| Mmio::find(wired).unwrap(),
            form,
            Mode::Vis,
        );
    }
}

#[test]
fn msi_on_soft_cpus_through_the_remap_unit_loses_nothing() {
    for form in [Form::Apic, Form::Posted] {
        let offer = Offer {
            msi: Some((Layout::CLEAR, true)),
            ..Offer::nothing()
        };
        through_the_unit(
            |device, memory, unit, pin| mmio(device, memory, unit, pin, offer),
            |wired| Mmio::find(wired).unwrap(),
            form,
            Mode::Msi,
        );
    }
}

#[test]
fn msix_on_soft_cpus_through_the_remap_unit_loses_nothing() {
    for form in [Form::Apic, Form::Posted] {
        through_the_unit(
            |device, memory, unit, pin| Function::wired(device, memory, unit, pin, 4),
            |wired| Pci::find(wired).unwrap(),
            form,
            Mode::Msix,
        );
    }
}
