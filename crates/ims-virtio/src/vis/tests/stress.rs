// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real threads: a device that raises, a driver that masks, unmasks and moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink};
use vm_memory::{Bytes, GuestAddress, GuestMemory, Permissions, VolatileMemory};

use super::driver::{AREA, Ram, Shape, message, ram};
use crate::layout::vis::{Command, MASK, PENDING, header, message as layout, register};
use crate::notifier::Event;
use crate::vis::{Offer, Vis};

/// A CPU that has one interrupt, and checks every message for being whole.
#[derive(Debug, Default)]
struct Cpu {
    interrupts: AtomicU32,
    /// Messages with this bit in their data come no more.
    over: AtomicU32,
}

impl MessageSink for Cpu {
    fn send(&self, _: RequesterId, sent: Message) -> Answer {
        assert_eq!(sent.address & 0xfff, 0);
        assert_eq!(
            sent.address >> 12 & 0xff,
            u64::from(sent.data & 0xff),
            "torn"
        );
        assert_eq!(sent.data & self.over.load(Ordering::SeqCst), 0, "too late");
        self.interrupts.fetch_add(1, Ordering::SeqCst);
        Answer::Accepted(Acceptance::Fresh)
    }
}

fn write(ram: &Ram, offset: u64, value: u32) {
    let at = GuestAddress(AREA + offset);
    ram.store(value.to_le(), at, Ordering::Release).unwrap();
}

/// A gate as the driver has it.
fn gate<T>(ram: &Ram, shape: &Shape, vector: u32, with: impl Fn(&AtomicU32) -> T) -> T {
    let at = AREA + u64::from(shape.gates) + (u64::from(vector) << shape.shift);
    let mut slices = ram
        .get_slices(GuestAddress(at), 4, Permissions::ReadWrite)
        .unwrap();
    let slice = slices.next().unwrap().unwrap();
    with(slice.get_atomic_ref::<AtomicU32>(0).unwrap())
}

fn program(ram: &Ram, shape: &Shape, vector: u32, data: u32) {
    let at = u64::from(shape.messages) + u64::from(vector) * layout::BYTES;
    write(ram, at, 0xfee0_0000 | (data & 0xff) << 12);
    write(ram, at + layout::DATA, data);
}

fn running(cpu: &Arc<Cpu>, ram: &Ram, shape: &Shape) -> Vis<Ram, Arc<Cpu>> {
    let offer = Offer {
        vectors: shape.vectors,
    };
    let mut vis = Vis::new(offer, 4, RequesterId(1), Arc::clone(ram), Arc::clone(cpu)).unwrap();
    for (field, value) in [
        (header::VECTORS, shape.vectors),
        (header::QUEUES, shape.queues),
        (header::CONFIG_VECTOR, shape.config),
        (header::GATE_SHIFT, shape.shift),
        (header::MESSAGES, shape.messages),
        (header::MAP, shape.map),
        (header::GATES, shape.gates),
        (header::LENGTH, shape.length),
    ] {
        write(ram, field, value);
    }
    for vector in 0..shape.vectors {
        program(ram, shape, vector, message(vector).data);
    }
    vis.write(register::ADDRESS_LOW, AREA as u32);
    vis.write(register::COMMAND, Command::Enable.with(0));
    assert!(vis.enabled());
    vis
}

/// The driver handles when it is told, masks meanwhile as NAPI does, and looks once
/// more only if it is told again.
#[test]
fn no_event_is_left_unseen_however_masks_and_raises_meet() {
    const EVENTS: u64 = 5_000;
    let (cpu, ram, shape) = (Arc::<Cpu>::default(), ram(), Shape::default());
    let mut vis = running(&cpu, &ram, &shape);
    let made = AtomicU64::new(0);
    let port = vis.port();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..EVENTS {
                    made.fetch_add(1, Ordering::Relaxed);
                    assert!(port.event(Event::Used(0)));
                }
            });
        }
        let (mut seen, mut rounds) = (0, 0);
        while seen < 2 * EVENTS {
            if cpu.interrupts.swap(0, Ordering::SeqCst) == 0 {
                std::thread::yield_now();
                continue;
            }
            gate(&ram, &shape, 0, |gate| {
                gate.fetch_or(MASK, Ordering::AcqRel)
            });
            seen = made.load(Ordering::Relaxed);
            rounds += 1;
            if rounds % 16 == 0 {
                program(&ram, &shape, 0, 0x4000 | (rounds & 0xff));
                vis.write(register::COMMAND, Command::Update.with(0));
            }
            let before = gate(&ram, &shape, 0, |gate| {
                gate.fetch_and(!MASK, Ordering::AcqRel)
            });
            if before & PENDING != 0 {
                vis.write(register::COMMAND, Command::Resend.with(0));
            }
        }
    });
    assert_eq!(
        gate(&ram, &shape, 0, |gate| gate.load(Ordering::Relaxed)),
        0
    );
}

#[test]
fn nothing_of_before_is_sent_once_an_update_or_a_disable_is_done() {
    let (cpu, ram, shape) = (Arc::<Cpu>::default(), ram(), Shape::default());
    let mut vis = running(&cpu, &ram, &shape);
    let (port, stop) = (vis.port(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for queue in 0..2u16 {
            let (port, stop) = (&port, &stop);
            scope.spawn(move || {
                while stop.load(Ordering::Relaxed) == 0 {
                    port.event(Event::Used(queue));
                    // Outside, or each command waits for a time slice.
                    std::thread::yield_now();
                }
            });
        }
        // Each round's messages have another bit, and the last round's come no more.
        for round in 0..80u32 {
            let (old, new) = (0x1_0000 << (round % 2), 0x1_0000 << ((round + 1) % 2));
            cpu.over.store(0, Ordering::SeqCst);
            for vector in 0..shape.vectors {
                program(&ram, &shape, vector, new | round & 0xff);
            }
            if round % 8 == 7 {
                vis.write(register::COMMAND, Command::Disable.with(0));
                cpu.over.store(0x3_0000, Ordering::SeqCst);
                std::thread::yield_now();
                cpu.over.store(0, Ordering::SeqCst);
                vis.write(register::COMMAND, Command::Enable.with(0));
            } else {
                let all = crate::layout::vis::ALL;
                vis.write(register::COMMAND, Command::Update.with(all));
            }
            cpu.over.store(old, Ordering::SeqCst);
            std::thread::yield_now();
        }
        stop.store(1, Ordering::Relaxed);
    });
    assert!(vis.enabled());
}

/// A driver that writes gates without end: raises end all the same.
#[test]
fn a_gate_that_never_rests_holds_nobody_up() {
    let (cpu, ram, shape) = (Arc::<Cpu>::default(), ram(), Shape::default());
    let vis = running(&cpu, &ram, &shape);
    let (port, stop) = (vis.port(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = 0u32;
            while stop.load(Ordering::Relaxed) == 0 {
                value = value.wrapping_add(0x9e37_79b9);
                gate(&ram, &shape, 1, |gate| gate.store(value, Ordering::Relaxed));
            }
        });
        for _ in 0..20_000 {
            port.raise(1);
            port.retry(1);
        }
        stop.store(1, Ordering::Relaxed);
    });
}

#[test]
fn the_number_of_an_answer_comes_after_the_answer_and_its_effect() {
    let (cpu, ram, shape) = (Arc::<Cpu>::default(), ram(), Shape::default());
    let mut vis = running(&cpu, &ram, &shape);
    let port = vis.port();
    let read = |offset: u64| {
        let at = GuestAddress(AREA + offset);
        u32::from_le(ram.load(at, Ordering::Acquire).unwrap())
    };
    let seen = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..2000u32 {
                while read(header::DONE) != round {
                    std::hint::spin_loop();
                }
                // Every other command is of a vector that is not.
                let (error, index) = (read(header::ERROR), read(header::ERROR_INDEX));
                if round % 2 == 0 {
                    assert_eq!((error, index), (7, 100 + round));
                } else {
                    assert_eq!((error, index), (0, 0));
                    assert_eq!(port.message(0).unwrap().data, round);
                }
                seen.store(round, Ordering::Release);
            }
        });
        for round in 1..2000u32 {
            program(&ram, &shape, 0, round);
            write(&ram, header::ASK, round);
            let vector = if round % 2 == 0 { 100 + round } else { 0 };
            vis.write(register::COMMAND, Command::Update.with(vector));
            while seen.load(Ordering::Acquire) != round {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn what_changes_while_it_is_latched_is_used_as_it_was_checked() {
    let (cpu, ram, shape) = (Arc::<Cpu>::default(), ram(), Shape::default());
    let mut vis = running(&cpu, &ram, &shape);
    let (port, stop) = (vis.port(), AtomicU32::new(0));
    let entry = u64::from(shape.messages) + layout::BYTES;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0u32;
            while stop.load(Ordering::Relaxed) == 0 {
                round = round.wrapping_add(1);
                // Good and bad by turns: an address, reserved bits, a queue's vector.
                write(
                    &ram,
                    entry,
                    if round.is_multiple_of(2) {
                        0xfee0_1000
                    } else {
                        0xfee0_1002
                    },
                );
                write(&ram, entry + layout::RESERVED, round % 3 / 2);
                write(
                    &ram,
                    shape.map.into(),
                    if round.is_multiple_of(2) {
                        1
                    } else {
                        u32::MAX - 7
                    },
                );
                write(&ram, header::VECTORS, round);
                write(&ram, header::GATES, round);
            }
        });
        let mut answers = [0u32; 10];
        for round in 0..5000 {
            let command = [Command::Update.with(1), Command::Map.with(0)][round % 2];
            vis.write(register::COMMAND, command);
            let error = vis.read(register::STATE).unwrap() >> 8;
            assert!(matches!(error, 0 | 7 | 8), "{error}");
            answers[error as usize] += 1;
            assert_eq!(port.message(1).unwrap().address, 0xfee0_1000);
            assert!(matches!(port.vector(Event::Used(0)), Some(0 | 1)));
            port.raise(1);
        }
        stop.store(1, Ordering::Relaxed);
        assert!(answers.iter().sum::<u32>() == 5000);
    });
}
