// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens while work flows: interfaces come and go, interrupts are moved
//! and masked, CPUs go offline and return, and somebody is hostile.
//!
//! One thread does it all, in an order that depends on the seed; what it asks the
//! stack for, it writes into the run's own book first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ims::domain::{Affinity, DomainError};
use ims::store::Store;
use ims::vector::CpuId;
use ims_host::HostError;

use super::error::{RunError, host};
use super::hostile::Hostile;
use super::lane::{Done, Lane, Left};
use super::operation::Random;
use super::world::World;

/// How long anything may take to become quiet.
pub(super) const QUIET: Duration = Duration::from_secs(10);
/// Interrupts moved together before waiting for quiet.
const MOVES: usize = 16;
/// Of one kind, as many are made up for at once if the machine was busy.
const AT_ONCE: u32 = 64;
/// How long an interrupt stays masked, at most.
const MASKED: Duration = Duration::from_millis(20);

/// What was done, and what came of it.
#[derive(Default)]
pub(super) struct Disturbed {
    pub(super) composed: u64,
    pub(super) destroyed: u64,
    pub(super) moved: u64,
    pub(super) refused_moves: u64,
    pub(super) masked: u64,
    pub(super) offline: u64,
    pub(super) online: u64,
    /// Pending when their interface was destroyed: dropped, as was to be.
    pub(super) dropped: u64,
    /// Of destroyed interfaces.
    pub(super) done: Done,
    pub(super) misdirected: u64,
    pub(super) lost: u64,
    pub(super) failures: Vec<String>,
    pub(super) hostile: Hostile,
    /// Lanes of destroyed interfaces: nobody may call them any more.
    pub(super) gone: Vec<Arc<Lane>>,
}

/// One kind of disturbance, done so many times a second.
struct Rate {
    every: Duration,
    due: Instant,
}

impl Rate {
    fn new(per_second: u32, start: Instant) -> Option<Self> {
        (per_second > 0).then(|| {
            let every = Duration::from_secs(1) / per_second;
            Self {
                every,
                due: start + every,
            }
        })
    }

    /// How many are due by now; the next time is set.
    fn due(this: &mut Option<Self>, now: Instant) -> u32 {
        let Some(rate) = this else { return 0 };
        let mut due = 0;
        while now >= rate.due && due < AT_ONCE {
            rate.due += rate.every;
            due += 1;
        }
        // A machine that is too slow does less, not everything at the end.
        rate.due = rate.due.max(now);
        due
    }
}

/// The disturber.
pub(super) struct Disturber<'a, S: Store> {
    world: &'a mut World<S>,
    random: Random,
    disturbed: Disturbed,
    /// Interrupts (interface and lane) that are masked, and until when.
    masked: VecDeque<(Instant, usize, usize)>,
    lives: u64,
}

impl<'a, S: Store> Disturber<'a, S> {
    pub(super) fn new(world: &'a mut World<S>) -> Self {
        let random = Random::new(world.scenario.seed ^ 0xd157);
        let disturbed = Disturbed::default();
        Self {
            world,
            random,
            disturbed,
            masked: VecDeque::new(),
            lives: 0,
        }
    }

    /// Disturbs until `end`, telling `progress` the time; leaves everything
    /// unmasked, online and quiet.
    pub(super) fn run(mut self, end: Instant, progress: impl Fn()) -> Result<Disturbed, RunError> {
        let rates = self.world.scenario.disturb.clone();
        let start = Instant::now();
        let mut compose = Rate::new(rates.compose, start);
        let mut moves = Rate::new(rates.moves, start);
        let mut masks = Rate::new(rates.masks, start);
        let mut offline = Rate::new(rates.offline, start);
        let mut hostile = Rate::new(rates.hostile, start);
        let mut moving = Vec::new();
        while Instant::now() < end {
            let now = Instant::now();
            self.unmask_due(now)?;
            for _ in 0..Rate::due(&mut masks, now) {
                self.mask(now)?;
            }
            for _ in 0..Rate::due(&mut moves, now) {
                self.start_move(&mut moving)?;
                if moving.len() >= MOVES {
                    self.end_moves(&mut moving)?;
                }
            }
            for _ in 0..Rate::due(&mut hostile, now) {
                let random = self.random.next();
                self.disturbed.hostile.attack(self.world, random);
            }
            if Rate::due(&mut compose, now) > 0 {
                self.end_moves(&mut moving)?;
                self.recompose()?;
            }
            if Rate::due(&mut offline, now) > 0 {
                self.end_moves(&mut moving)?;
                self.cycle_cpu()?;
            }
            progress();
            std::thread::sleep(Duration::from_micros(200));
        }
        self.end_moves(&mut moving)?;
        self.unmask_due(end + MASKED * 2)?;
        self.world
            .host
            .quiesce(QUIET)
            .map_err(host("waiting for quiet"))?;
        self.disturbed.hostile.drain_records(self.world);
        Ok(self.disturbed)
    }

    /// A random lane: interface and lane.
    fn any(&mut self) -> Option<(usize, usize)> {
        let adi = self
            .random
            .below(u32::try_from(self.world.adis.len()).ok()?) as usize;
        let lanes = u32::try_from(self.world.adis.get(adi)?.lanes.len()).ok()?;
        (lanes > 0).then(|| (adi, self.random.below(lanes) as usize))
    }

    fn mask(&mut self, now: Instant) -> Result<(), RunError> {
        let Some((adi, lane)) = self.any() else {
            return Ok(());
        };
        if self.masked.iter().any(|&(_, a, l)| (a, l) == (adi, lane)) {
            return Ok(());
        }
        if let Some((_, irq)) = self.world.adis.get(adi).and_then(|adi| adi.lanes.get(lane)) {
            irq.mask().map_err(host("masking"))?;
            self.disturbed.masked += 1;
            self.masked.push_back((now + MASKED / 2, adi, lane));
        }
        Ok(())
    }

    fn unmask_due(&mut self, now: Instant) -> Result<(), RunError> {
        while let Some(&(until, adi, lane)) = self.masked.front() {
            if until > now {
                break;
            }
            self.masked.pop_front();
            if let Some((_, irq)) = self.world.adis.get(adi).and_then(|adi| adi.lanes.get(lane)) {
                irq.unmask().map_err(host("unmasking"))?;
            }
        }
        Ok(())
    }

    fn start_move(&mut self, moving: &mut Vec<Arc<Lane>>) -> Result<(), RunError> {
        let Some((adi, at)) = self.any() else {
            return Ok(());
        };
        let Some((lane, irq)) = self.world.adis.get(adi).and_then(|adi| adi.lanes.get(at)) else {
            return Ok(());
        };
        if moving.iter().any(|other| Arc::ptr_eq(other, lane)) {
            return Ok(());
        }
        let cpu = CpuId(self.random.below(lane.parts.vm.space.cpus));
        lane.owner.about_to_move();
        moving.push(Arc::clone(lane));
        match irq.set_affinity(&Affinity::Cpu(cpu)) {
            Ok(_) => self.disturbed.moved += 1,
            Err(HostError::Domain(DomainError::Moving | DomainError::Vector(_))) => {
                self.disturbed.refused_moves += 1;
            }
            Err(error) => {
                return Err(RunError::Host {
                    doing: "moving an interrupt",
                    error,
                });
            }
        }
        let target = irq.location().map_err(host("locating it"))?.target;
        if let Some((cpu, _)) = target {
            self.book_move(&Arc::clone(lane), cpu);
        }
        Ok(())
    }

    fn book_move(&mut self, lane: &Lane, cpu: CpuId) {
        if !lane.owner.moved_to(cpu.0) {
            self.disturbed.misdirected += 1;
        }
    }

    fn end_moves(&mut self, moving: &mut Vec<Arc<Lane>>) -> Result<(), RunError> {
        if moving.is_empty() {
            return Ok(());
        }
        self.world
            .host
            .quiesce(QUIET)
            .map_err(host("waiting for moves to settle"))?;
        for lane in moving.drain(..) {
            lane.owner.settled();
        }
        Ok(())
    }

    /// Takes one CPU offline and brings it back.
    fn cycle_cpu(&mut self) -> Result<(), RunError> {
        let vms = u32::try_from(self.world.vms.len()).unwrap_or(u32::MAX);
        let Some(vm) = self.world.vms.get(self.random.below(vms) as usize).cloned() else {
            return Ok(());
        };
        let cpu = CpuId(self.random.below(vm.space.cpus));
        let here: Vec<_> = self
            .world
            .adis
            .iter()
            .flat_map(|adi| &adi.lanes)
            .filter(|(lane, _)| Arc::ptr_eq(&lane.parts.vm, &vm))
            .filter(|(lane, _)| lane.owner.here() == Some(cpu.0))
            .collect();
        for (lane, _) in &here {
            lane.owner.about_to_move();
        }
        let offline = self.world.host.cpu_offline(vm.space.id, cpu);
        let mut targets = Vec::new();
        for (lane, irq) in here {
            let target = irq
                .location()
                .map_err(host("locating an interrupt"))?
                .target;
            targets.push((Arc::clone(lane), target));
        }
        for (lane, target) in targets {
            if let Some((cpu, _)) = target {
                self.book_move(&lane, cpu);
            }
            lane.owner.settled();
        }
        match offline {
            Ok(_) => self.disturbed.offline += 1,
            // The others have no room: refused, and nothing has changed.
            Err(HostError::Domain(_)) => return Ok(()),
            Err(error) => {
                return Err(RunError::Host {
                    doing: "taking a CPU offline",
                    error,
                });
            }
        }
        self.world
            .host
            .cpu_online(vm.space.id, cpu)
            .map_err(host("bringing a CPU back"))?;
        self.disturbed.online += 1;
        Ok(())
    }

    /// Destroys an interface at work and composes it anew.
    fn recompose(&mut self) -> Result<(), RunError> {
        let count = u32::try_from(self.world.adis.len()).unwrap_or(u32::MAX);
        let at = self.random.below(count) as usize;
        if self.masked.iter().any(|&(_, adi, _)| adi == at) || at >= self.world.adis.len() {
            return Ok(());
        }
        // One of its lanes goes while its interrupt is kept pending.
        let pending = self.random.below(2) == 0;
        let adi = self.world.adis.swap_remove(at);
        let (number, function) = (adi.number, adi.function);
        if pending && let Some((_, irq)) = adi.lanes.first() {
            irq.mask().map_err(host("masking"))?;
        }
        for (lane, _) in &adi.lanes {
            lane.stop();
            lane.withdraw();
        }
        if let Some(function) = self.world.functions.get(function)
            && function.queues.drain_pasid(adi.pasid).is_err()
        {
            self.disturbed
                .failures
                .push("the device stopped while it was drained".into());
        }
        let stale: Vec<_> = adi
            .lanes
            .iter()
            .filter_map(|(_, irq)| irq.location().ok()?.handle)
            .collect();
        let mut lanes = Vec::new();
        for (at, (lane, irq)) in adi.lanes.into_iter().enumerate() {
            let freed = irq.free().map_err(host("freeing an interrupt"))?;
            self.disturbed.dropped += u64::from(freed.dropped);
            lanes.push((lane, pending && at == 0, freed.dropped));
        }
        self.world
            .host
            .quiesce(QUIET)
            .map_err(host("waiting for freed interrupts"))?;
        for (lane, masked, dropped) in lanes {
            lane.end();
            self.book_gone(&lane, masked, dropped);
        }
        self.disturbed.destroyed += 1;
        self.disturbed.hostile.stale(self.world, function, &stale);
        self.lives += 1;
        let adi = self.world.compose_adi(number, function, self.lives)?;
        for (lane, _) in &adi.lanes {
            lane.start();
        }
        self.world.adis.push(adi);
        // The last one has taken the place of the one that went.
        let last = self.world.adis.len() - 1;
        self.world.adis.swap(at, last);
        self.disturbed.composed += 1;
        Ok(())
    }

    /// Adds up a lane that is gone. A completion nobody saw is lost, unless its
    /// interrupt was masked and said to be dropped.
    fn book_gone(&mut self, lane: &Arc<Lane>, masked: bool, dropped: bool) {
        let Left { unseen, unfinished } = lane.left();
        if masked {
            if (unseen > 0) != dropped {
                self.disturbed.lost += unseen;
            }
        } else {
            self.disturbed.lost += unseen;
        }
        if unfinished > 0 {
            self.disturbed.failures.push(format!(
                "interface {}: {unfinished} operations were not executed before it was destroyed",
                lane.parts.adi
            ));
        }
        self.disturbed.done.add(lane.done());
        self.disturbed.gone.push(Arc::clone(lane));
    }
}
