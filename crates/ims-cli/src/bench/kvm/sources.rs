// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A hundred thousand sources on one VM, each a vector of a device with a message of
//! its own, which guest code takes. Messages meet on the vectors that the vCPUs have,
//! as a guest would have it; a bit in guest memory for each source tells them apart.
//!
//! Beside them the same sources with an irqfd for each of these vectors: one for each
//! source there cannot be, for want of routes.

use super::super::Outcome;
use super::super::descriptors::shortage;
use super::super::row::Row;
use super::super::timing::{Effort, figure};
use super::guest;
use super::rounds;
use super::senders::{Seat, Sender, Senders};
use ims_kvm::machine::Machine;
use std::thread::sleep;
use std::time::{Duration, Instant};

const SOURCES: u32 = 100_000;
const VCPUS: u32 = 16;
/// The first vector of a vCPU that is used, and how many are.
const FIRST: u8 = 0x30;
const VECTORS: u32 = 200;
/// Vectors of vCPUs; each has a word of sources.
const PLACES: u32 = VCPUS * VECTORS;
/// Bits in a word.
const WORD: u32 = 64;

/// Who else raises them.
const SHARED: &str = "an irqfd for each vector of a vCPU, shared";

/// How often all are raised.
const ROUNDS: usize = 3;

/// When what has not come is lost.
const LOST: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK: Duration = Duration::from_micros(200);

/// One source.
struct Source {
    bit: u32,
    sender: Sender,
    /// How often its bit was set anew.
    posted: u64,
}

/// The guest, and all that raises there.
struct Subject {
    machine: Machine,
    seats: Vec<Seat>,
    sources: Vec<Source>,
    senders: Senders,
    done: Done,
}

/// What makes them, for a guest, its vectors, and so many sources.
type Making = fn(&Machine, &[Seat], u32) -> Outcome<(Senders, Vec<Sender>)>;

/// Nanoseconds a source, of each round: raising alone, and until all were taken.
#[derive(Default)]
struct Done {
    raised: Vec<f64>,
    taken: Vec<f64>,
}

/// What handlers did.
#[derive(Debug, Clone, Copy, Default)]
struct Handled {
    ran: u64,
    empty: u64,
}

/// All of them, raised and taken.
///
/// # Errors
/// What KVM says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let name = |what: &str| format!("{SOURCES} sources on {VCPUS} vCPUs, {what}");
    if let Some(why) = shortage(PLACES.into())? {
        return Ok(vec![Row::skipped(
            name("raised and taken"),
            "ns/source",
            &why,
        )]);
    }
    let mut messages = Subject::new(Senders::by_message)?;
    let mut irqfds = Subject::new(Senders::by_irqfd)?;
    for _ in 0..rounds(effort, ROUNDS) {
        messages.round()?;
        irqfds.round()?;
    }
    let (wrong, posted) = messages.counted();
    let (lost_by_irqfds, _) = irqfds.counted();
    if lost_by_irqfds > 0 {
        return Err(format!("{lost_by_irqfds} sources were lost by {SHARED}").into());
    }
    let Handled { ran, empty } = messages.handled();
    let sent = messages.senders.accepted();
    let median = |times: &[f64]| figure(times.to_vec()).median;
    let taken = median(&messages.done.taken);
    Ok(vec![
        Row::new(name("raised and taken"), taken, "ns/source")
            .compared(SHARED, median(&irqfds.done.taken))
            .note(format!(
                "{:.0} sources/s; {} of them on each vector of a vCPU",
                1e9 / taken,
                SOURCES.div_ceil(PLACES)
            )),
        Row::new(name("raised"), median(&messages.done.raised), "ns/source")
            .compared(SHARED, median(&irqfds.done.raised))
            .note("one thread sets each source's bit and raises its vector; the guest takes them meanwhile, on the same CPUs"),
        Row::new(name("lost or taken twice"), wrong as f64, "sources")
            .at_most(0.0)
            .note(format!("bits set anew {posted}, each counted once by the guest")),
        Row::new(name("messages to a run of a handler"), sent as f64 / ran as f64, "messages")
            .note(format!(
                "{sent} accepted by KVM, {ran} runs, {empty} of them found nothing: KVM says accepted also of what it coalesces"
            )),
    ])
}

impl Subject {
    /// A guest, and for each of the sources what raises it at its vector.
    fn new(senders: Making) -> Outcome<Self> {
        let machine = guest::start(VCPUS, PLACES)?;
        let mut seats = Vec::new();
        for place in 0..PLACES {
            let vector = u8::try_from(u32::from(FIRST) + place / VCPUS)?;
            let seat = (place % VCPUS, vector);
            machine.scan(seat.0, vector, place, 1);
            seats.push(seat);
        }
        let (senders, each) = senders(&machine, &seats, SOURCES)?;
        let sources = (0..SOURCES).zip(each).map(|(source, sender)| Source {
            bit: source % PLACES * WORD + source / PLACES,
            sender,
            posted: 0,
        });
        Ok(Self {
            sources: sources.collect(),
            machine,
            seats,
            senders,
            done: Done::default(),
        })
    }

    fn round(&mut self) -> Outcome<()> {
        let each = 1e9 / f64::from(SOURCES);
        let begun = Instant::now();
        self.raise()?;
        self.done.raised.push(begun.elapsed().as_secs_f64() * each);
        self.wait();
        self.done.taken.push(begun.elapsed().as_secs_f64() * each);
        Ok(())
    }

    /// Sources that the guest did not count as often as their bit was set anew; and
    /// how often that was, of all.
    fn counted(&self) -> (usize, u64) {
        let wrong = self.sources.iter().filter(|source| !self.is_taken(source));
        let posted = self.sources.iter().map(|source| source.posted);
        (wrong.count(), posted.sum())
    }

    /// Each once.
    fn raise(&mut self) -> Outcome<()> {
        for source in &mut self.sources {
            source.posted += u64::from(self.machine.post(source.bit));
            source.sender.send()?;
        }
        Ok(())
    }

    /// Waits until all are taken, or nothing comes any more.
    fn wait(&self) {
        let begun = Instant::now();
        for source in &self.sources {
            while !self.is_taken(source) && begun.elapsed() < LOST {
                sleep(LOOK);
            }
        }
    }

    fn is_taken(&self, source: &Source) -> bool {
        self.machine.taken(source.bit) == source.posted
    }

    fn handled(&self) -> Handled {
        let mut handled = Handled::default();
        for (cpu, vector) in &self.seats {
            handled.ran += self.machine.interrupts(*cpu, *vector);
            handled.empty += self.machine.empty(*cpu, *vector);
        }
        handled
    }
}
