// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which registers each way to interrupt touches, and how often.
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

mod bank;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bank::Access::{Read, ReadConfig, Write, WriteConfig};
use bank::{Access, Bank};
use ims_virtio::layout::msi::Layout;
use ims_virtio::layout::vis::{Command, MASK, PENDING, header, register};
use ims_virtio::layout::{features, mmio, status};
use ims_virtio_driver::interrupts::{
    Accept, Cause, Chosen, InterruptError, Mode, NO_VECTOR, Plan, PlanError, Refusal, area_bytes,
};
use ims_virtio_driver::shared::{Shared, Window};
use ims_virtio_driver::transport::{FindError, Mmio, Pci};
use ims_virtio_driver::{Device, DeviceError, Message, Registers};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const AREA: u64 = 0x1_0000_0000;

type Memory = Arc<GuestMemoryMmap<()>>;

fn memory() -> Memory {
    let ranges = [(GuestAddress(AREA), 0x10_0000)];
    Arc::new(GuestMemoryMmap::from_ranges(&ranges).unwrap())
}

fn area(memory: &Memory, vectors: u16) -> Window<Memory> {
    Window::new(Arc::clone(memory), AREA, area_bytes(vectors, vectors)).unwrap()
}

fn messages(count: u32) -> Vec<Message> {
    let message = |n| Message {
        address: 0xfee0_0000 + u64::from(n % 4) * 0x1000,
        data: 0x4000 + n,
    };
    (0..count).map(message).collect()
}

/// Configuration on 0, queue n on n + 1.
fn spread(vectors: u32) -> Vec<u32> {
    (1..vectors).collect()
}

/// A register block with everything offered, whose VIS answers by `answer`.
fn block(memory: &Memory, vectors: u32, answer: Option<u32>) -> Bank {
    let memory = Arc::clone(memory);
    let bank = Bank::new(&[
        (mmio::MAGIC, u64::from(mmio::MAGIC_VALUE)),
        (mmio::VERSION, 2),
        (mmio::DEVICE_ID, 2),
        (mmio::DEVICE_FEATURES, 0xffff_ffff),
        (register::VECTORS, u64::from(vectors)),
        (Layout::CLEAR.vectors, u64::from(vectors)),
        (Layout::CLEAR.state, u64::from(Layout::CLEAR.sharing)),
    ]);
    bank.reacting(move |bank, offset, value| {
        if offset == Layout::CLEAR.command && value == 1 {
            let state = Layout::CLEAR.sharing | Layout::CLEAR.enabled;
            bank.set(Layout::CLEAR.state, u64::from(state));
        }
        if let (register::COMMAND, Some(error)) = (offset, answer) {
            let at = |field| GuestAddress(AREA + field);
            let ask: u32 = memory.read_obj(at(header::ASK)).unwrap();
            memory.write_obj(error, at(header::ERROR)).unwrap();
            memory.write_obj(9_u32, at(header::ERROR_INDEX)).unwrap();
            memory.write_obj(ask, at(header::DONE)).unwrap();
        }
    })
}

const VIS: Accept = Accept {
    vis: true,
    msi: None,
    notification: false,
    msix: false,
};
const MSI: Accept = Accept {
    vis: false,
    msi: Some(Layout::CLEAR),
    notification: false,
    msix: false,
};

fn choose(
    bank: &Bank,
    accept: Accept,
    vectors: u32,
    area: Option<Window<Memory>>,
) -> Chosen<&Bank, Window<Memory>> {
    let device = Device::begin(Mmio::find(bank).unwrap(), 0, accept).unwrap();
    let (messages, queues) = (messages(vectors), spread(vectors));
    let plan = Plan {
        messages: &messages,
        queues: &queues,
        config: 0,
    };
    bank.accesses();
    device.interrupts(&plan, area).unwrap()
}

#[test]
fn vis_is_set_up_by_four_accesses_whatever_the_number_of_vectors() {
    for vectors in [1, 4, 64, 257, 2048] {
        let memory = memory();
        let bank = block(&memory, 2048, Some(0));
        let chosen = choose(&bank, VIS, vectors, Some(area(&memory, vectors as u16)));
        assert_eq!(chosen.interrupts.mode(), Mode::Vis);
        let expected = [
            Read(register::VECTORS, 4),
            Write(register::ADDRESS_LOW, AREA & 0xffff_ffff, 4),
            Write(register::ADDRESS_HIGH, AREA >> 32, 4),
            Write(register::COMMAND, 0x1000_0000, 4),
        ];
        assert_eq!(bank.accesses(), expected, "{vectors} vectors");
    }
}

#[test]
fn the_area_of_vis_says_what_the_plan_says() {
    let memory = memory();
    let bank = block(&memory, 64, Some(0));
    choose(&bank, VIS, 5, Some(area(&memory, 5)));
    let get = |offset| -> u32 { memory.read_obj(GuestAddress(AREA + offset)).unwrap() };
    assert_eq!(get(header::VECTORS), 5);
    assert_eq!(get(header::QUEUES), 4);
    assert_eq!(get(header::CONFIG_VECTOR), 0);
    let (table, map, gates) = (
        u64::from(get(header::MESSAGES)),
        u64::from(get(header::MAP)),
        u64::from(get(header::GATES)),
    );
    let stride = 1 << get(header::GATE_SHIFT);
    for (vector, message) in (0..).zip(messages(5)) {
        let entry = table + vector * 16;
        let address = u64::from(get(entry)) | u64::from(get(entry + 4)) << 32;
        assert_eq!(address, message.address);
        assert_eq!((get(entry + 8), get(entry + 12)), (message.data, 0));
        assert_eq!(get(gates + vector * stride), 0);
    }
    assert_eq!([0, 1, 2, 3].map(|q| get(map + q * 4)), [1, 2, 3, 4]);
    assert!(table >= header::BYTES && map >= table + 80 && gates >= map + 16);
    assert_eq!(u64::from(get(header::LENGTH)), gates + 5 * stride);
    assert!(get(header::LENGTH) as usize <= area_bytes(5, 5));
}

#[test]
fn vis_masks_without_an_access_and_unmasks_with_one_only_if_something_is_pending() {
    let memory = memory();
    let bank = block(&memory, 64, Some(0));
    let area = area(&memory, 8);
    let mut interrupts = choose(&bank, VIS, 8, Some(area.clone())).interrupts;
    bank.accesses();
    let gates: u32 = memory.read_obj(GuestAddress(AREA + header::GATES)).unwrap();
    let gate = area.word32(gates as usize + 3 * 64).unwrap();
    // Reserved bits are the device's to keep, and the driver's.
    gate.fetch_or(0x100, Ordering::Relaxed);
    interrupts.mask(3).unwrap();
    assert_eq!(gate.load(Ordering::Relaxed), 0x100 | MASK);
    interrupts.unmask(3).unwrap();
    assert_eq!(gate.load(Ordering::Relaxed), 0x100);
    assert_eq!(bank.accesses(), []);

    interrupts.mask(3).unwrap();
    gate.fetch_or(PENDING, Ordering::Relaxed);
    interrupts.unmask(3).unwrap();
    let resend = u64::from(Command::Resend.with(3));
    assert_eq!(bank.accesses(), [Write(register::COMMAND, resend, 4)]);
    assert_eq!(gate.load(Ordering::Relaxed), 0x100 | PENDING);

    let vis = interrupts.as_vis().unwrap();
    assert_eq!(vis.take(3), Ok(true));
    assert_eq!(vis.take(3), Ok(false));
    assert_eq!(vis.mask(8), Err(InterruptError::Vector(8)));
    assert_eq!(vis.unmask(8), Err(InterruptError::Vector(8)));
    assert_eq!(bank.accesses(), []);
}

#[test]
fn vis_moves_one_vector_or_many_by_one_access() {
    let memory = memory();
    let bank = block(&memory, 64, Some(0));
    let mut interrupts = choose(&bank, VIS, 16, Some(area(&memory, 16))).interrupts;
    bank.accesses();
    let there = Message {
        address: 0xfee1_0000,
        data: 0x99,
    };
    interrupts.move_to(7, there).unwrap();
    let update = u64::from(Command::Update.with(7));
    assert_eq!(bank.accesses(), [Write(register::COMMAND, update, 4)]);

    interrupts
        .move_all(&[(9, there), (4, there), (12, there)])
        .unwrap();
    let update = u64::from(Command::UpdateRange.with(0));
    assert_eq!(bank.accesses(), [Write(register::COMMAND, update, 4)]);
    let get = |field| -> u32 { memory.read_obj(GuestAddress(AREA + field)).unwrap() };
    assert_eq!((get(header::FIRST), get(header::COUNT)), (4, 9));
    for vector in [4, 7, 9, 12] {
        assert_eq!(get(header::BYTES + vector * 16 + 8), 0x99);
    }
    interrupts.move_all(&[]).unwrap();
    let beyond = interrupts.move_to(16, there);
    assert_eq!(beyond, Err(InterruptError::Vector(16)));
    assert_eq!(bank.accesses(), []);
}

#[test]
fn vis_that_does_not_answer_in_memory_is_asked_by_a_register() {
    let memory = memory();
    let bank = block(&memory, 64, None);
    bank.set(register::STATE, 1);
    let chosen = choose(&bank, VIS, 4, Some(area(&memory, 4)));
    assert_eq!(chosen.interrupts.mode(), Mode::Vis);
    let accesses = bank.accesses();
    assert_eq!(accesses.last(), Some(&Read(register::STATE, 4)));
    assert_eq!(accesses.len(), 5);
}

#[test]
fn vis_that_refuses_leaves_the_single_interrupt_and_says_why() {
    let memory = memory();
    for (answer, state, error, index) in [(Some(2), 0, 2, 9), (None, 4 << 8, 4, 0)] {
        let bank = block(&memory, 64, answer);
        bank.set(register::STATE, state);
        let chosen = choose(&bank, VIS, 4, Some(area(&memory, 4)));
        assert_eq!(chosen.interrupts.mode(), Mode::Single);
        let answered = InterruptError::Answered { error, index };
        assert_eq!(chosen.vis, Some(Refusal::Refused(answered)));
    }
    let bank = block(&memory, 64, None);
    let silent = choose(&bank, VIS, 4, Some(area(&memory, 4)));
    let refusal = Refusal::Refused(InterruptError::Silent);
    assert_eq!(silent.vis, Some(refusal));
}

#[test]
fn vis_without_what_it_needs_falls_back_to_msi() {
    let memory = memory();
    let accept = Accept { vis: true, ..MSI };
    let short = Window::new(Arc::clone(&memory), AREA, area_bytes(4, 4) - 256).unwrap();
    let askew = Window::new(Arc::clone(&memory), AREA + 32, 0x1000).unwrap();
    for (area, refusal) in [
        (None, Refusal::NoArea),
        (Some(short), Refusal::Area),
        (Some(askew), Refusal::Area),
    ] {
        let bank = block(&memory, 64, Some(0));
        let chosen = choose(&bank, accept, 4, area);
        assert_eq!(chosen.interrupts.mode(), Mode::Msi);
        assert_eq!((chosen.vis, chosen.msi), (Some(refusal), None));
    }
}

#[test]
fn ways_the_device_does_not_offer_are_not_taken() {
    let memory = memory();
    let bank = block(&memory, 64, Some(0));
    // One value for both halves: VERSION_1 and nothing of messages.
    bank.set(mmio::DEVICE_FEATURES, features::VERSION_1 >> 32);
    let accept = Accept { vis: true, ..MSI };
    let chosen = choose(&bank, accept, 4, Some(area(&memory, 4)));
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    let not = Some(Refusal::NotOffered);
    assert_eq!((chosen.vis, chosen.msi), (not, not));
    assert_eq!(bank.accesses(), []);
}

#[test]
fn more_vectors_than_the_device_has_leave_the_single_interrupt() {
    let memory = memory();
    let bank = block(&memory, 3, Some(0));
    let accept = Accept { vis: true, ..MSI };
    let chosen = choose(&bank, accept, 4, Some(area(&memory, 4)));
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    let few = Some(Refusal::Vectors(3));
    assert_eq!((chosen.vis, chosen.msi), (few, few));
}

#[test]
fn msi_writes_only_what_changes() {
    let memory = memory();
    let bank = block(&memory, 64, None);
    let mut interrupts = choose(&bank, MSI, 3, None).interrupts;
    let layout = Layout::CLEAR;
    let write = |offset, value: u64| Write(offset, value, 4);
    let command = |command| Write(layout.command, command, 4);
    let expected = [
        Read(layout.vectors, 4),
        Read(layout.state, 4),
        write(0x0d0, 0),
        write(0x0d4, 0xfee0_0000),
        write(0x0d8, 0),
        write(0x0dc, 0x4000),
        command(3),
        command(6),
        write(0x0d0, 1),
        write(0x0d4, 0xfee0_1000),
        write(0x0dc, 0x4001),
        command(3),
        write(mmio::QUEUE_SEL, 0),
        command(7),
        write(0x0d0, 2),
        write(0x0d4, 0xfee0_2000),
        write(0x0dc, 0x4002),
        command(3),
        write(mmio::QUEUE_SEL, 1),
        command(7),
        command(1),
        Read(layout.state, 4),
    ];
    assert_eq!(bank.accesses(), expected);

    interrupts.mask(2).unwrap();
    assert_eq!(bank.accesses(), [command(4)]);
    interrupts.unmask(2).unwrap();
    assert_eq!(bank.accesses(), [command(5)]);
    interrupts.mask(0).unwrap();
    assert_eq!(bank.accesses(), [write(0x0d0, 0), command(4)]);
    let there = Message {
        address: 0xfee0_2000,
        data: 0x77,
    };
    interrupts.move_to(0, there).unwrap();
    assert_eq!(bank.accesses(), [write(0x0dc, 0x77), command(3)]);
    let beyond = interrupts.mask(3);
    assert_eq!(beyond, Err(InterruptError::Vector(3)));
    assert_eq!(bank.accesses(), []);
}

#[test]
fn msi_of_a_device_that_maps_by_itself_needs_its_map() {
    let memory = memory();
    let fixed = block(&memory, 64, None);
    fixed.set(Layout::CLEAR.state, 0);
    let chosen = choose(&fixed, MSI, 4, None);
    assert_eq!(chosen.interrupts.mode(), Mode::Msi);
    let maps =
        |access: &Access| matches!(access, Write(at, 6 | 7, _) if *at == Layout::CLEAR.command);
    assert!(!fixed.accesses().iter().any(maps));

    let bank = block(&memory, 64, None);
    bank.set(Layout::CLEAR.state, 0);
    let device = Device::begin(Mmio::find(&bank).unwrap(), 0, MSI).unwrap();
    let messages = messages(2);
    let plan = Plan {
        messages: &messages,
        queues: &[1, 1],
        config: 0,
    };
    let chosen = device.interrupts(&plan, None::<Window<Memory>>).unwrap();
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    assert_eq!(chosen.msi, Some(Refusal::FixedMap));
}

#[test]
fn msi_that_does_not_come_on_is_disabled_again() {
    let sharing = u64::from(Layout::CLEAR.sharing);
    let bank = Bank::new(&[
        (mmio::MAGIC, u64::from(mmio::MAGIC_VALUE)),
        (mmio::VERSION, 2),
        (mmio::DEVICE_ID, 2),
        (mmio::DEVICE_FEATURES, 0xffff_ffff),
        (Layout::CLEAR.vectors, 8),
        (Layout::CLEAR.state, sharing),
    ]);
    let chosen = choose(&bank, MSI, 4, None);
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    assert_eq!(chosen.msi, Some(Refusal::NotEnabled));
    let last = bank.accesses().pop();
    assert_eq!(last, Some(Write(Layout::CLEAR.command, 2, 4)));
}

#[test]
fn the_single_interrupt_costs_two_accesses_or_one_when_it_was_not_this_device() {
    let memory = memory();
    let bank = block(&memory, 64, None);
    let mut interrupts = choose(&bank, Accept::default(), 4, None).interrupts;
    bank.set(mmio::INTERRUPT_STATUS, 1);
    let cause = interrupts.acknowledge();
    assert_eq!((cause.used, cause.config), (true, false));
    let expected = [
        Read(mmio::INTERRUPT_STATUS, 4),
        Write(mmio::INTERRUPT_ACK, 1, 4),
    ];
    assert_eq!(bank.accesses(), expected);
    bank.set(mmio::INTERRUPT_STATUS, 0);
    let cause = interrupts.acknowledge();
    assert_eq!((cause.used, cause.config), (false, false));
    assert_eq!(bank.accesses(), [Read(mmio::INTERRUPT_STATUS, 4)]);
    assert_eq!(interrupts.mask(0), Err(InterruptError::Single));
    assert_eq!(interrupts.unmask(0), Err(InterruptError::Single));
    let moved = interrupts.move_to(0, Message::default());
    assert_eq!(moved, Err(InterruptError::Single));
    assert_eq!(bank.accesses(), []);
}

/// A function with the structures of virtio in BAR 4 and MSI-X in BAR 1.
fn function(last_next: u32) -> Bank {
    let capability = |at: u16, next: u32, kind: u32, offset: u32, length: u32| {
        [
            (at, 9 | next << 8 | 16 << 16 | kind << 24),
            (at + 4, 4),
            (at + 8, offset),
            (at + 12, length),
        ]
    };
    let mut config = vec![
        (0, 0x1042_1af4),
        (4, 1 << 20),
        (0x34, 0x40),
        // MSI-X: 8 vectors, table at 0x1000 of BAR 1.
        (0x40, 0x11 | 0x50 << 8 | 7 << 16),
        (0x44, 0x1001),
    ];
    config.extend(capability(0x50, 0x60, 1, 0x000, 0x40));
    config.extend(capability(0x60, 0x74, 2, 0x400, 0x100));
    config.push((0x70, 4));
    config.extend(capability(0x74, 0x84, 3, 0x100, 1));
    config.extend(capability(0x84, last_next, 4, 0x200, 0x40));
    Bank::new(&[(0x04, 0xffff_ffff)]).with_config(&config)
}

const MSIX: Accept = Accept {
    vis: false,
    msi: None,
    notification: false,
    msix: true,
};

#[test]
fn msix_takes_two_writes_a_vector_and_a_read_back_a_queue() {
    // A list that goes in a circle must not matter.
    let bank = function(0x40);
    let device = Device::begin(Pci::find(&bank).unwrap(), 0, MSIX).unwrap();
    let (messages, queues) = (messages(3), spread(3));
    let plan = Plan {
        messages: &messages,
        queues: &queues,
        config: 0,
    };
    bank.accesses();
    let chosen = device.interrupts(&plan, None::<Window<Memory>>).unwrap();
    let mut interrupts = chosen.interrupts;
    assert_eq!((interrupts.mode(), chosen.msix), (Mode::Msix, None));
    let control = |bits: u32| WriteConfig(0x40, 0x11 | 0x50 << 8 | 7 << 16 | bits << 30);
    let expected = [
        control(0b11),
        Write(0x1000, 0xfee0_0000, 8),
        Write(0x1008, 0x4000, 8),
        Write(0x1010, 0xfee0_1000, 8),
        Write(0x1018, 0x4001, 8),
        Write(0x1020, 0xfee0_2000, 8),
        Write(0x1028, 0x4002, 8),
        control(0b10),
        Write(0x10, 0, 2),
        Read(0x10, 2),
        Write(0x16, 0, 2),
        Write(0x1a, 1, 2),
        Read(0x1a, 2),
        Write(0x16, 1, 2),
        Write(0x1a, 2, 2),
        Read(0x1a, 2),
    ];
    assert_eq!(bank.accesses(), expected);

    interrupts.mask(1).unwrap();
    assert_eq!(bank.accesses(), [Write(0x101c, 1, 4), Read(0x101c, 4)]);
    interrupts.unmask(1).unwrap();
    assert_eq!(bank.accesses(), [Write(0x101c, 0, 4)]);
    let there = Message {
        address: 0x1_fee0_0000,
        data: 5,
    };
    interrupts.move_to(2, there).unwrap();
    let expected = [
        Write(0x102c, 1, 4),
        Write(0x1020, 0x1_fee0_0000, 8),
        Write(0x1028, 5, 8),
        Read(0x102c, 4),
    ];
    assert_eq!(bank.accesses(), expected);
    assert_eq!(interrupts.mask(3), Err(InterruptError::Vector(3)));
    assert_eq!(interrupts.acknowledge(), Cause::ANY);
    assert_eq!(bank.accesses(), []);
}

#[test]
fn a_vector_the_function_does_not_take_leaves_intx_with_msix_off() {
    let bank = function(0).reacting(|bank, offset, _| {
        if offset == 0x1a {
            bank.set(offset, 0xffff);
        }
    });
    let device = Device::begin(Pci::find(&bank).unwrap(), 0, MSIX).unwrap();
    let messages = messages(2);
    let plan = Plan {
        messages: &messages,
        queues: &[1],
        config: NO_VECTOR,
    };
    let chosen = device.interrupts(&plan, None::<Window<Memory>>).unwrap();
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    assert_eq!(chosen.msix, Some(Refusal::Map));
    let accesses = bank.accesses();
    let off = WriteConfig(0x40, 0x11 | 0x50 << 8 | 7 << 16);
    assert_eq!(accesses[accesses.len() - 2..], [off, ReadConfig(0x40)]);
    bank.set(0x100, 2);
    let cause = chosen.interrupts.acknowledge();
    assert_eq!((cause.used, cause.config), (false, true));
    assert_eq!(bank.accesses(), [Read(0x100, 1)]);
}

#[test]
fn msix_that_was_left_on_is_switched_off_for_the_pin() {
    let bank = function(0);
    let left = 0x11 | 0x50 << 8 | 7 << 16 | 1 << 31;
    bank.write_config(0x40, left);
    let device = Device::begin(Pci::find(&bank).unwrap(), 0, Accept::default()).unwrap();
    let messages = messages(1);
    let plan = Plan {
        messages: &messages,
        queues: &[0],
        config: 0,
    };
    bank.accesses();
    let chosen = device.interrupts(&plan, None::<Window<Memory>>).unwrap();
    assert_eq!(chosen.interrupts.mode(), Mode::Single);
    let expected = [ReadConfig(0x40), WriteConfig(0x40, left & !(1 << 31))];
    assert_eq!(bank.accesses(), expected);
}

#[test]
fn the_function_is_found_by_its_capabilities_and_may_reach_memory() {
    let bank = function(0);
    Pci::find(&bank).unwrap();
    let accesses = bank.accesses();
    assert!(accesses.contains(&WriteConfig(4, 6)));
    assert!(
        accesses
            .iter()
            .all(|a| matches!(a, ReadConfig(_) | WriteConfig(4, 6)))
    );
    let other = Bank::default().with_config(&[(0, 0x1234_8086)]);
    let function = FindError::Function {
        vendor: 0x8086,
        device: 0x1234,
    };
    assert_eq!(Pci::find(&other).err(), Some(function));
    let bare = Bank::default().with_config(&[(0, 0x1042_1af4)]);
    assert_eq!(Pci::find(&bare).err(), Some(FindError::Capability(2)));
}

#[test]
fn register_blocks_that_are_no_device_of_this_driver_are_left_alone() {
    let block = |magic, version, id| {
        let values = [(0, magic), (4, version), (8, id)];
        let bank = Bank::new(&values);
        let found = Mmio::find(&bank).err();
        let reads = bank.accesses().iter().all(|a| matches!(a, Read(..)));
        assert!(reads);
        found
    };
    let magic = u64::from(mmio::MAGIC_VALUE);
    assert_eq!(block(7, 2, 2), Some(FindError::Magic(7)));
    assert_eq!(block(magic, 1, 2), Some(FindError::Version(1)));
    assert_eq!(block(magic, 2, 0), Some(FindError::Empty));
    assert_eq!(block(magic, 2, 2), None);
}

#[test]
fn a_device_that_does_not_agree_is_given_up() {
    let memory = memory();
    let bank = block(&memory, 4, None);
    bank.set(mmio::DEVICE_FEATURES, 0);
    let legacy = Device::begin(Mmio::find(&bank).unwrap(), 0, VIS).err();
    assert_eq!(legacy, Some(DeviceError::Legacy));
    assert_eq!(bank.get(mmio::STATUS), u64::from(status::FAILED));

    let refusing = Bank::new(&[
        (mmio::MAGIC, u64::from(mmio::MAGIC_VALUE)),
        (mmio::VERSION, 2),
        (mmio::DEVICE_ID, 2),
        (mmio::DEVICE_FEATURES, 1),
    ]);
    let refusing = refusing.reacting(|bank, offset, value| {
        if offset == mmio::STATUS {
            bank.set(offset, value & !u64::from(status::FEATURES_OK));
        }
    });
    let refused = Device::begin(Mmio::find(&refusing).unwrap(), 1, VIS).err();
    assert_eq!(
        refused,
        Some(DeviceError::Features(features::VERSION_1 | 1))
    );
    assert_eq!(refusing.get(mmio::STATUS), u64::from(status::FAILED));

    let stuck = Bank::new(&[
        (mmio::MAGIC, u64::from(mmio::MAGIC_VALUE)),
        (mmio::VERSION, 2),
        (mmio::DEVICE_ID, 2),
    ]);
    let stuck = stuck.reacting(|bank, offset, _| bank.set(offset, 1));
    let stuck = Device::begin(Mmio::find(&stuck).unwrap(), 1, VIS).err();
    assert_eq!(stuck, Some(DeviceError::Reset));
}

#[test]
fn plans_that_contradict_themselves_touch_nothing() {
    let memory = memory();
    let bank = block(&memory, 4, Some(0));
    let device = Device::begin(Mmio::find(&bank).unwrap(), 0, VIS).unwrap();
    bank.accesses();
    let messages = messages(2);
    for (messages, queues, config, error) in [
        (&messages[..0], &[][..], 0, PlanError::Vectors),
        (&messages, &[2], 0, PlanError::NoMessage(2)),
        (&messages, &[1], 9, PlanError::NoMessage(9)),
    ] {
        let plan = Plan {
            messages,
            queues,
            config,
        };
        let made = device.interrupts(&plan, Some(area(&memory, 4)));
        assert_eq!(made.err(), Some(error));
    }
    assert_eq!(bank.accesses(), []);
}
