// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Threads: devices raise, CPUs take, and the control half changes everything
//! meanwhile.

use super::host::{Host, ORGANISATIONS, Organisation, Raises, Size};
use super::machine::Machine;
use crate::domain::*;
use crate::grace::Raiser;
use crate::vector::CpuId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SLOTS: u32 = 8;
/// So few vectors that each is soon another's.
const SIZE: Size = Size {
    cpus: 2,
    vectors: 8,
    entries: 16,
};

/// By virq: whether it has a handler, from its allocation to its release, and how
/// often that was called.
struct Handlers {
    registered: Vec<AtomicBool>,
    taken: Vec<AtomicU64>,
    strays: AtomicU64,
}

fn device(port: &dyn Raises, raiser: &mut Raiser, engine: u32, stop: &AtomicBool) -> u64 {
    let mut raised = 0;
    let mut index = engine;
    while !stop.load(Ordering::Relaxed) {
        let flight = raiser.enter();
        for _ in 0..4 {
            index = (index * 5 + 3) % SLOTS;
            let _ = port.raise(&flight, engine, index, None);
            raised += 1;
        }
    }
    raised
}

fn cpu(machine: &Machine, bank: usize, at: usize, dispatch: &Dispatch, handlers: &Handlers) {
    let cpu = [&machine.host, &machine.guest][bank].get(at).unwrap();
    cpu.cycle.fetch_add(1, Ordering::SeqCst);
    let number = CpuId(u32::try_from(at).unwrap());
    for vector in cpu.pending.harvest() {
        let virq = dispatch.virq(number, vector);
        match virq {
            Some(Virq(virq)) if handlers.registered[virq as usize].load(Ordering::Acquire) => {
                handlers.taken[virq as usize].fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                handlers.strays.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    cpu.cycle.fetch_add(1, Ordering::SeqCst);
}

/// The control half's random walk.
struct Control<'a> {
    host: &'a mut Host,
    side: DomainId,
    space: SpaceId,
    tokens: Vec<Interrupt>,
    handlers: &'a Handlers,
    seed: u64,
    taken: u64,
    freed: u32,
    moved: u32,
}

impl Control<'_> {
    fn random(&mut self, below: u32) -> u32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        u32::try_from(self.seed >> 32).unwrap() % below
    }

    /// Handlers of released interrupts are gone before their numbers are used; each
    /// was called as often as the interrupt's own counts say, no other's.
    fn release(&mut self) {
        let mut called = 0;
        for Virq(virq) in self.host.control.take_released() {
            self.handlers.registered[virq as usize].store(false, Ordering::Release);
            called += self.handlers.taken[virq as usize].swap(0, Ordering::Relaxed);
        }
        self.taken += called;
        let past = self.host.control.past_counts(self.side).unwrap();
        let lost = past.handed_over + past.coalesced + past.refused + past.dropped;
        assert_eq!(past.raised, self.taken + lost);
    }

    fn step(&mut self) {
        let pick = self.random(SLOTS) as usize % self.tokens.len().max(1);
        let token = self.tokens.get(pick).copied();
        let control = &mut self.host.control;
        match (self.seed >> 20 & 7, token) {
            (0, _) | (_, None) => {
                let wanted = self.random(2);
                let request = Request::new(self.space).affinity(Affinity::Cpu(CpuId(wanted)));
                let got = self.host.control.alloc(self.side, &request);
                self.release();
                let Ok(token) = got else { return };
                let Virq(virq) = token.virq();
                self.handlers.registered[virq as usize].store(true, Ordering::Release);
                self.host.control.activate(token).unwrap();
                self.tokens.push(token);
            }
            (1, Some(token)) => {
                let _ = control.free(token).unwrap();
                let _ = self.tokens.swap_remove(pick);
                self.freed += 1;
            }
            (2, Some(token)) => control.mask(token).unwrap(),
            (3 | 4, Some(token)) => control.unmask(token).unwrap(),
            (5, Some(_)) => {
                control.settle();
            }
            (_, Some(token)) => {
                let here = control.location(token).unwrap().target.unwrap().0;
                let there = Affinity::Cpu(CpuId(1 - here.0));
                match control.set_affinity(token, &there) {
                    Ok(_) => self.moved += 1,
                    Err(error) => assert!([16, 28].contains(&error.errno()), "{error}"),
                }
            }
        }
        self.release();
    }
}

fn run(organisation: Organisation, remapped: bool, guest: bool) {
    let mut host = Host::new(SIZE);
    let side = host.ims_in(SLOTS, remapped, organisation);
    let space = if guest { host.guest } else { host.host };
    let dispatch = host.control.dispatch(space).unwrap();
    let machine = Arc::clone(&host.machine);
    let raisers = [host.control.raiser(), host.control.raiser()];
    let (stop_raising, stop_taking) = (AtomicBool::new(false), AtomicBool::new(false));
    let handlers = Handlers {
        registered: (0..64).map(|_| AtomicBool::new(false)).collect(),
        taken: (0..64).map(|_| AtomicU64::new(0)).collect(),
        strays: AtomicU64::new(0),
    };
    let (raised, taken): (u64, u64) = std::thread::scope(|scope| {
        let devices: Vec<_> = raisers
            .into_iter()
            .zip(0..)
            .map(|(mut raiser, engine)| {
                let (port, stop) = (Arc::clone(&side.port), &stop_raising);
                scope.spawn(move || device(&*port, &mut raiser, engine, stop))
            })
            .collect();
        for at in 0..2 {
            let (machine, dispatch, handlers, stop) =
                (&machine, &dispatch, &handlers, &stop_taking);
            scope.spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    cpu(machine, usize::from(guest), at, dispatch, handlers);
                    std::thread::yield_now();
                }
            });
        }
        let mut control = Control {
            host: &mut host,
            side: side.id,
            space,
            tokens: Vec::new(),
            handlers: &handlers,
            seed: 0x9e37_79b9_7f4a_7c15,
            taken: 0,
            freed: 0,
            moved: 0,
        };
        let end = Instant::now() + Duration::from_millis(120);
        // At least so many, and until something was taken, however slow the machine.
        let mut steps = 0;
        let some_taken = || {
            let taken = handlers.taken.iter();
            taken
                .map(|count| count.load(Ordering::Relaxed))
                .sum::<u64>()
                > 0
        };
        while steps < 200 || Instant::now() < end || !some_taken() {
            control.step();
            steps += 1;
        }
        stop_raising.store(true, Ordering::Relaxed);
        let raised = devices
            .into_iter()
            .map(|device| device.join().unwrap())
            .sum();
        for token in std::mem::take(&mut control.tokens) {
            let _ = control.host.control.free(token).unwrap();
        }
        while control.host.control.settle() > 0 {
            std::thread::yield_now();
        }
        control.release();
        assert!(control.freed > 0 && control.moved > 0);
        stop_taking.store(true, Ordering::Release);
        (raised, control.taken)
    });
    host.assert_empty();
    assert_eq!(host.harvest_all(), []);
    assert_eq!(
        handlers.strays.load(Ordering::Relaxed),
        0,
        "taken by a CPU it was not on"
    );
    let past = host.control.past_counts(side.id).unwrap();
    assert!(taken > 0);
    assert_eq!(past.raised + side.port.strays(), raised);
    assert_eq!((past.refused, past.handed_over), (0, 0));
}

#[test]
fn at_quiet_the_counters_add_up_and_nothing_has_strayed() {
    for organisation in ORGANISATIONS {
        run(organisation, true, true);
        run(organisation, true, false);
        run(organisation, false, false);
    }
}
