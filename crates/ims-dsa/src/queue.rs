// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A work queue (3.3): descriptors accepted and not yet started, and those
//! being executed.

use std::collections::VecDeque;

use crate::client::{Client, Pasid, Portal};
use crate::layout::Descriptor;
use crate::limits::Limits;

/// Who may submit to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One submitter, known by its PASID or, without PASIDs, by having none.
    Dedicated {
        /// The submitter.
        owner: Option<Pasid>,
    },
    /// Any submitter that has a PASID.
    Shared,
}

/// How a queue is set up (WQCFG, 9.2.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// The group whose engines serve it.
    pub group: u32,
    /// Who may submit.
    pub mode: Mode,
    /// Descriptors it holds before any is started; 0 for a queue not in use.
    pub size: u16,
    /// Descriptors a shared queue takes from limited portals, at most `size`.
    pub threshold: u16,
    /// 1 to 15; a queue's share of its group's engines.
    pub priority: u8,
    /// What its descriptors may ask for.
    pub limits: Limits,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            group: 0,
            mode: Mode::Dedicated { owner: None },
            size: 16,
            threshold: 16,
            priority: 1,
            limits: Limits::default(),
        }
    }
}

/// Why a descriptor was not accepted. Nothing of it was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// No room now.
    #[error("work queue full; retry when a descriptor has completed")]
    Full,
    /// The queue takes nothing.
    #[error("work queue not enabled; enable it first")]
    Disabled,
    /// The queue is dedicated to another submitter, or needs a PASID.
    #[error("this submitter may not use the work queue; use its own, or a shared one with a PASID")]
    WrongSubmitter,
    /// There is no such queue.
    #[error("no such work queue; check the number against the device's configuration")]
    NoSuchQueue,
}

/// A descriptor on its way to an engine.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) descriptor: Descriptor,
    pub(crate) client: Client,
    pub(crate) portal: Portal,
    pub(crate) limits: Limits,
    /// The queue's number in the device, and its place in the group.
    pub(crate) queue: u32,
    pub(crate) place: usize,
    /// Its place in the queue's order, over the queue's whole life.
    pub(crate) sequence: u64,
}

/// A descriptor being executed.
#[derive(Debug)]
struct Active {
    sequence: u64,
    pasid: Option<Pasid>,
    engine: usize,
}

/// Which submitters' descriptors are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    All,
    Of(Option<Pasid>),
}

impl Whose {
    fn includes(self, pasid: Option<Pasid>) -> bool {
        match self {
            Self::All => true,
            Self::Of(only) => only == pasid,
        }
    }
}

/// A work queue's state; its group's lock is held around it.
#[derive(Debug)]
pub(crate) struct Queue {
    number: u32,
    config: QueueConfig,
    enabled: bool,
    waiting: VecDeque<Job>,
    active: Vec<Active>,
    /// What somebody waits for the end of.
    awaited: Vec<(u64, Whose)>,
    next: u64,
}

impl Queue {
    pub(crate) fn new(number: u32, config: QueueConfig) -> Self {
        let waiting = VecDeque::with_capacity(config.size.into());
        Self {
            number,
            config,
            enabled: false,
            waiting,
            active: Vec::new(),
            awaited: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn config(&self) -> &QueueConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: QueueConfig) {
        self.config = config;
        self.waiting
            .reserve(usize::from(config.size).saturating_sub(self.waiting.len()));
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Descriptors accepted and not yet started.
    pub(crate) fn occupancy(&self) -> usize {
        self.waiting.len()
    }

    /// The submission checks (5.3), then the queue's end.
    pub(crate) fn accept(
        &mut self,
        place: usize,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        if !self.enabled {
            return Err(SubmitError::Disabled);
        }
        let room = match self.config.mode {
            Mode::Dedicated { owner } if owner == client.pasid => self.config.size,
            Mode::Shared if client.pasid.is_some() && portal.limited => self.config.threshold,
            Mode::Shared if client.pasid.is_some() => self.config.size,
            Mode::Dedicated { .. } | Mode::Shared => return Err(SubmitError::WrongSubmitter),
        };
        if self.waiting.len() >= usize::from(room) {
            return Err(SubmitError::Full);
        }
        self.waiting.push_back(Job {
            descriptor: *descriptor,
            client: client.clone(),
            portal,
            limits: self.config.limits,
            queue: self.number,
            place,
            sequence: self.next,
        });
        self.next += 1;
        Ok(())
    }

    /// Hands the oldest descriptor to `engine`.
    pub(crate) fn start(&mut self, engine: usize) -> Option<Job> {
        let job = self.waiting.pop_front()?;
        self.active.push(Active {
            sequence: job.sequence,
            pasid: job.client.pasid,
            engine,
        });
        Some(job)
    }

    /// The descriptor `sequence` has ended. Says whether somebody waited for it
    /// and need not wait longer, `running` being whether engines start more.
    pub(crate) fn finish(&mut self, sequence: u64, running: bool) -> bool {
        self.active.retain(|active| active.sequence != sequence);
        self.awaited.iter().any(|&(mark, whose)| {
            let goes_on = self.is_active(mark, whose) || running && self.is_waiting(mark, whose);
            sequence < mark && !goes_on
        })
    }

    /// Somebody begins to wait for the descriptors before `mark`.
    pub(crate) fn await_before(&mut self, mark: u64, whose: Whose) {
        self.awaited.push((mark, whose));
    }

    /// Somebody that began to wait has ceased to.
    pub(crate) fn cease_waiting(&mut self, mark: u64, whose: Whose) {
        if let Some(at) = self.awaited.iter().position(|one| *one == (mark, whose)) {
            self.awaited.swap_remove(at);
        }
    }

    /// The number the next accepted descriptor gets: all accepted so far are
    /// before it.
    pub(crate) fn mark(&self) -> u64 {
        self.next
    }

    /// Whether a descriptor before `mark` is being executed.
    pub(crate) fn is_active(&self, mark: u64, whose: Whose) -> bool {
        self.active
            .iter()
            .any(|active| active.sequence < mark && whose.includes(active.pasid))
    }

    /// Whether a descriptor before `mark` waits to be started.
    pub(crate) fn is_waiting(&self, mark: u64, whose: Whose) -> bool {
        self.waiting
            .iter()
            .take_while(|job| job.sequence < mark)
            .any(|job| whose.includes(job.client.pasid))
    }

    /// Whose descriptors a drain descriptor in this queue waits for (3.12).
    pub(crate) fn drained_with(&self, pasid: Option<Pasid>) -> Whose {
        match self.config.mode {
            Mode::Dedicated { .. } => Whose::All,
            Mode::Shared => Whose::Of(pasid),
        }
    }

    /// Takes out the descriptors not yet started.
    pub(crate) fn take_waiting(&mut self, whose: Whose) -> Vec<Job> {
        let (taken, kept): (VecDeque<Job>, VecDeque<Job>) = self
            .waiting
            .drain(..)
            .partition(|job| whose.includes(job.client.pasid));
        self.waiting = kept;
        self.waiting.reserve(self.config.size.into());
        taken.into()
    }

    /// The engines that execute descriptors of these submitters.
    pub(crate) fn engines(&self, whose: Whose) -> impl Iterator<Item = usize> + '_ {
        self.active
            .iter()
            .filter(move |active| whose.includes(active.pasid))
            .map(|active| active.engine)
    }
}
