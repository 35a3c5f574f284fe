// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One transport with one number of queues, from reset to reset.

use super::super::Outcome;
use super::super::timing::{Effort, figure};
use super::VCPUS;
use super::access::{Access, Wired};
use super::disk::Backed;
use super::exits::{self, Exits, by_kvm};
use super::guest::{self, Guest, SIZE, target};
use ims_virtio::machine::{Board, Options, PIN, Transport as Carrier};
use ims_virtio_driver::interrupts::Mode;
use ims_virtio_driver::transport::{Mmio, Pci, Transport};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A vector that no queue has at first, to move to.
const ELSEWHERE: u8 = 0xe0;
/// How long a device is given to find its vector masked, after it told its queue.
const KEPT: Duration = Duration::from_millis(3);

/// What was found.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// To set up all interrupts.
    pub(super) set_up: u64,
    /// The same in microseconds.
    pub(super) set_up_time: f64,
    /// `None` where vectors cannot be masked.
    pub(super) masking: Option<Masking>,
    /// To move an interrupt to another vCPU.
    pub(super) moved: u64,
    /// For each interrupt that a handler took.
    pub(super) taken: f64,
    /// For each read, its interrupt included.
    pub(super) read: f64,
    /// Median, in microseconds.
    pub(super) read_time: f64,
    /// Handlers that ran on each vCPU while all queues worked.
    pub(super) spread: Vec<u64>,
    /// Handlers that KVM ran without a reason.
    pub(super) spurious: u64,
    /// Told and not taken, after all.
    pub(super) lost: u64,
    /// All accesses of the whole run, as the VMM counted them.
    pub(super) accesses: u64,
    /// The same as KVM did.
    pub(super) by_kvm: Option<u64>,
}

/// What masking costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masking {
    pub(super) mask: u64,
    pub(super) unmask: u64,
    /// With an interrupt pending, which is then sent.
    pub(super) unmask_pending: u64,
}

/// Measures.
///
/// # Errors
/// What did not work; a lost interrupt among it.
pub(super) fn measure(effort: Effort, transport: Carrier, queues: u16) -> Outcome<Measured> {
    let backed = Backed::new(queues, SIZE)?;
    let options = Options {
        transport,
        vcpus: VCPUS,
        memory: guest::memory(queues),
    };
    let wired = Wired::new(Board::start(options, Arc::clone(&backed.block))?);
    match transport {
        Carrier::Pci => run(effort, &wired, Pci::find(Access(&wired))?),
        _ => run(effort, &wired, Mmio::find(Access(&wired))?),
    }
}

fn run<'a, T: Transport<Registers = Access<'a>>>(
    effort: Effort,
    wired: &'a Wired,
    transport: T,
) -> Outcome<Measured> {
    let machine = wired.board.machine();
    let queues = wired.board.queues();
    let (mut guest, set_up) = Guest::new(wired, transport)?;
    let (taken, read, read_time) = reads(effort, &mut guest, queues)?;
    let masking = masking(&mut guest)?;
    let spread = spread(effort, &mut guest, queues)?;
    let moved = moved(&mut guest)?;
    let lost = guest.settle()?;
    guest.end()?;
    let all = Exits::now(wired);
    // Before the counts of KVM are read nothing may be under way.
    machine.stop();
    Ok(Measured {
        set_up: set_up.exits.vmm,
        set_up_time: set_up.took.as_secs_f64() * 1e6,
        masking,
        moved,
        taken,
        read,
        read_time,
        spread,
        spurious: all.spurious,
        lost,
        accesses: Exits::now(wired).vmm,
        by_kvm: by_kvm(machine, "mmio_exits"),
    })
}

/// Reads one at a time, each queue in its turn: exits for each interrupt and each
/// read, and microseconds of the median.
fn reads<'a, T: Transport<Registers = Access<'a>>>(
    effort: Effort,
    guest: &mut Guest<'a, T>,
    queues: u16,
) -> Outcome<(f64, f64, f64)> {
    let count = u64::from(queues).max(if effort.is_quick() { 16 } else { 256 });
    guest.read(0)?;
    guest.settle()?;
    let handled = |guest: &Guest<'a, T>| guest.handled().into_iter().sum::<u64>();
    let (ran, before) = (handled(guest), Exits::now(guest.wired));
    let mut times = Vec::new();
    for queue in (0..queues).cycle().take(usize::try_from(count)?) {
        let begun = Instant::now();
        guest.read(queue)?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        // Or the next one shares its interrupt.
        guest.settle()?;
    }
    let exits = Exits::now(guest.wired).since(before);
    let ran = handled(guest).saturating_sub(ran + exits.spurious);
    let handlers = exits.useful().saturating_sub(exits.driver);
    let each = |part: u64, of: u64| part as f64 / of as f64;
    Ok((
        each(handlers, ran),
        each(exits.useful(), count),
        figure(times).median,
    ))
}

/// Masks the first queue's vector and unmasks it, with something pending and without.
fn masking<'a, T: Transport<Registers = Access<'a>>>(
    guest: &mut Guest<'a, T>,
) -> Outcome<Option<Masking>> {
    if guest.interrupts.mode() == Mode::Single {
        return Ok(None);
    }
    let wired = guest.wired;
    wired.be_on(target(0).0);
    let of = |exits: Exits| exits.vmm;
    let (done, mask) = exits::of(wired, || guest.interrupts.mask(1));
    done?;
    let (done, unmask) = exits::of(wired, || guest.interrupts.unmask(1));
    done?;
    guest.interrupts.mask(1)?;
    let (before, told) = (guest.taken(0), wired.board.posted(0));
    guest.submit(0)?;
    guest.wait("a completion", || wired.board.posted(0) > told)?;
    sleep(KEPT);
    if guest.taken(0) != before {
        return Err("a masked vector interrupted".into());
    }
    let (done, unmask_pending) = exits::of(wired, || guest.interrupts.unmask(1));
    done?;
    guest.wait_taken(0, before)?;
    guest.complete(0)?;
    wired.check()?;
    Ok(Some(Masking {
        mask: of(mask),
        unmask: of(unmask),
        unmask_pending: of(unmask_pending),
    }))
}

/// All queues at work at the same time: handlers that ran on each vCPU.
fn spread<'a, T: Transport<Registers = Access<'a>>>(
    effort: Effort,
    guest: &mut Guest<'a, T>,
    queues: u16,
) -> Outcome<Vec<u64>> {
    let least = if effort.is_quick() { 64 } else { 512 };
    let rounds = (least / u32::from(queues)).max(2);
    let (before, spurious) = (guest.handled(), guest.wired.board.spurious());
    for _ in 0..rounds {
        let taken: Vec<_> = (0..queues).map(|queue| guest.taken(queue)).collect();
        for queue in 0..queues {
            guest.submit(queue)?;
        }
        for (queue, mut seen) in (0..queues).zip(taken) {
            let until = Instant::now() + Duration::from_secs(20);
            // By its interrupts alone: what came back is looked at only after one.
            loop {
                let taken = guest.taken(queue);
                if taken != seen && guest.complete(queue)? == 1 {
                    break;
                }
                seen = taken;
                if Instant::now() > until {
                    return Err(format!("the interrupt of queue {queue} is lost").into());
                }
                std::thread::yield_now();
            }
        }
    }
    guest.settle()?;
    let after = guest.handled();
    let ran = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before);
    let mut ran: Vec<_> = ran.collect();
    // All that were for nothing were at the only vCPU there are any.
    if let Some(most) = ran.iter_mut().max() {
        *most = most.saturating_sub(guest.wired.board.spurious() - spurious);
    }
    Ok(ran)
}

/// Moves the first queue's interrupt to the next vCPU, where it is taken then.
fn moved<'a, T: Transport<Registers = Access<'a>>>(guest: &mut Guest<'a, T>) -> Outcome<u64> {
    let wired = guest.wired;
    let machine = wired.board.machine();
    let (cpu, _) = target(0);
    let to = (cpu + 1) % VCPUS;
    wired.be_on(cpu);
    let moved = if guest.interrupts.mode() == Mode::Single {
        wired.board.takes_all(ELSEWHERE);
        // None of them reaches the VMM, which counts that guest code was asked to.
        let before = machine.exits(cpu).commands;
        machine.route_pin(cpu, PIN, to, ELSEWHERE)?;
        machine.exits(cpu).commands - before
    } else {
        wired.board.takes(to, ELSEWHERE, 0);
        let message = guest.message(to, ELSEWHERE);
        let (done, exits) = exits::of(wired, || guest.interrupts.move_to(1, message));
        done?;
        exits.vmm
    };
    wired.check()?;
    let before = machine.interrupts(to, ELSEWHERE);
    guest.read(0)?;
    if machine.interrupts(to, ELSEWHERE) == before {
        return Err("a moved interrupt did not move".into());
    }
    Ok(moved)
}
