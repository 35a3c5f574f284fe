// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a device's trigger to its eventfd: what the call costs, and how soon a
//! thread that waits on another CPU runs.

use super::super::Outcome;
use super::super::cpu::{Pinned, two};
use super::super::row::Row;
use super::super::timing::{Effort, Figure, in_turns, plain};
use super::device::Register;
use ims_vfio::Device;
use ims_vfio::irqs::{Irqs, Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::{read, write};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::hint::spin_loop;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// The vector that is triggered.
const VECTOR: u32 = 1;

/// What both are compared with.
const BARE: &str = "eventfd write";

/// How long a waiter is given to fall asleep.
const ASLEEP: Duration = Duration::from_micros(50);

/// The call, and the way to a waiter.
///
/// # Errors
/// What the operating system says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let device = Register::new()?;
    let irqs = &device.function().irqs;
    let (triggered, bare) = (new_eventfd()?, new_eventfd()?);
    set(irqs, triggered.try_clone()?)?;
    let [call, bare_call] = in_turns(
        effort,
        [&mut |batch| plain(batch, || trigger(irqs)), &mut |batch| {
            plain(batch, || signal(&bare))
        }],
    )?;
    let name = "trigger to a waiter on another CPU";
    let waiter = match two()? {
        Some(cpus) => {
            let [sent, bare_sent] = wakes(effort, cpus, irqs, &triggered, &bare)?;
            Row::figure(name, sent).beside(Some((BARE, bare_sent)))
        }
        None => Row::skipped(name, "ns", "there is one CPU only"),
    };
    Ok(vec![
        Row::figure("trigger, nobody waits", call).beside(Some((BARE, bare_call))),
        waiter,
    ])
}

fn new_eventfd() -> Outcome<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

fn set(irqs: &Irqs, trigger: OwnedFd) -> Outcome<()> {
    let header = SetIrqs {
        argsz: irq_set::HEADER + 4,
        flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
        index: irq::MSIX,
        start: VECTOR,
        count: 1,
    };
    Ok(irqs.set(header, Payload::Triggers(vec![Some(trigger)]))?)
}

fn trigger(irqs: &Irqs) -> Outcome<()> {
    irqs.trigger(irq::MSIX, VECTOR)?;
    Ok(())
}

fn signal(eventfd: &OwnedFd) -> Outcome<()> {
    write(eventfd, &1u64.to_ne_bytes())?;
    Ok(())
}

/// A thread that waits for an eventfd, and when it last ran.
struct Waiter<'a> {
    eventfd: &'a OwnedFd,
    begun: Instant,
    waits: AtomicBool,
    over: AtomicBool,
    /// Nanoseconds after `begun`.
    ran: AtomicU64,
}

/// In place of a time: the waiter could not wait.
const FAILED: u64 = u64::MAX;

impl<'a> Waiter<'a> {
    fn new(eventfd: &'a OwnedFd) -> Self {
        Self {
            eventfd,
            begun: Instant::now(),
            waits: AtomicBool::new(false),
            over: AtomicBool::new(false),
            ran: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(FAILED)
    }

    /// The waiting thread. It polls, for an eventfd given to a device does not block.
    fn wait(&self, cpu: &CpuSet) {
        let mut count = [0; 8];
        let mut woken = || -> rustix::io::Result<u64> {
            poll(&mut [PollFd::new(self.eventfd, PollFlags::IN)], None)?;
            let ran = self.now();
            read(self.eventfd, &mut count)?;
            Ok(ran)
        };
        let pinned = sched_setaffinity(None, cpu);
        while !self.over.load(Ordering::Acquire) {
            self.waits.store(true, Ordering::Release);
            let ran = pinned.and_then(|()| woken()).unwrap_or(FAILED);
            self.ran.store(ran, Ordering::Release);
        }
    }

    /// Fires once the thread sleeps; nanoseconds until it runs.
    fn wake(&self, fire: &mut dyn FnMut() -> Outcome<()>) -> Outcome<u64> {
        while !self.waits.swap(false, Ordering::Acquire) {
            spin_loop();
        }
        sleep(ASLEEP);
        self.ran.store(0, Ordering::Relaxed);
        let fired = self.now();
        fire()?;
        loop {
            match self.ran.load(Ordering::Acquire) {
                0 => spin_loop(),
                FAILED => return Err("the waiter could not wait".into()),
                ran => return Ok(ran.saturating_sub(fired)),
            }
        }
    }

    /// The mean of a batch.
    fn batch(
        &self,
        batch: Duration,
        cpu: &CpuSet,
        mut fire: impl FnMut() -> Outcome<()>,
    ) -> Outcome<f64> {
        scope(|scope| {
            scope.spawn(|| self.wait(cpu));
            let (mut total, mut wakes) = (0, 0u32);
            let mut measure = || -> Outcome<()> {
                while self.begun.elapsed() < batch {
                    total += self.wake(&mut fire)?;
                    wakes += 1;
                }
                Ok(())
            };
            let measured = measure();
            self.over.store(true, Ordering::Release);
            // It is in its next round, or about to be.
            signal(self.eventfd)?;
            measured.map(|()| total as f64 / f64::from(wakes))
        })
    }
}

fn wakes(
    effort: Effort,
    [here, there]: [CpuSet; 2],
    irqs: &Irqs,
    triggered: &OwnedFd,
    bare: &OwnedFd,
) -> Outcome<[Figure; 2]> {
    let _pinned = Pinned::to(&here)?;
    in_turns(
        effort,
        [
            &mut |batch| Waiter::new(triggered).batch(batch, &there, || trigger(irqs)),
            &mut |batch| Waiter::new(bare).batch(batch, &there, || signal(bare)),
        ],
    )
}
