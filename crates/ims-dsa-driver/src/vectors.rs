// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI-X vectors, an eventfd each.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ims_vfio::layout::{irq, irq_set};
use ims_vfio_user::layout::SetIrqs;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read};

use crate::error::DriverError;
use crate::link::Link;

/// MSI-X vectors of a device, an eventfd each.
#[derive(Debug, Default)]
pub struct Vectors {
    triggers: Vec<OwnedFd>,
}

impl Vectors {
    /// Asks for vectors 0 to `count` − 1.
    ///
    /// # Errors
    /// [`DriverError`]; the device has none then.
    pub fn enable(link: &mut Link, count: u16) -> Result<Self, DriverError> {
        let triggers = (0..count)
            .map(|_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))
            .collect::<Result<Vec<_>, _>>()?;
        let vectors = Self { triggers };
        vectors.give(link)?;
        Ok(vectors)
    }

    /// Gives the device the triggers, again after a reset of the function, which
    /// takes them from it.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn give(&self, link: &mut Link) -> Result<(), DriverError> {
        // A message takes 16 descriptors.
        for (start, some) in (0..).step_by(16).zip(self.triggers.chunks(16)) {
            let fds: Vec<_> = some.iter().map(AsFd::as_fd).collect();
            let count = u32::try_from(fds.len()).unwrap_or(0);
            link.set_irqs(header(start, count, irq_set::DATA_EVENTFD), &fds)?;
        }
        Ok(())
    }

    /// Gives all of them back.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn disable(&mut self, link: &mut Link) -> Result<(), DriverError> {
        self.triggers.clear();
        link.set_irqs(header(0, 0, irq_set::DATA_NONE), &[])
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.triggers.len()
    }

    /// The eventfd of one.
    pub fn trigger(&self, vector: u16) -> Option<&OwnedFd> {
        self.triggers.get(usize::from(vector))
    }

    /// How often a vector was signalled since last asked.
    ///
    /// # Errors
    /// [`DriverError::Connection`].
    pub fn taken(&self, vector: u16) -> Result<u64, DriverError> {
        let Some(trigger) = self.trigger(vector) else {
            return Ok(0);
        };
        let mut count = [0; 8];
        match read(trigger, &mut count) {
            Ok(_) => Ok(u64::from_ne_bytes(count)),
            Err(Errno::AGAIN) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits for a signal of `vector`; how many there were, 0 if `limit` passed.
    ///
    /// # Errors
    /// [`DriverError::Connection`].
    pub fn wait(&self, vector: u16, limit: Duration) -> Result<u64, DriverError> {
        let Some(trigger) = self.trigger(vector) else {
            return Ok(0);
        };
        let mut signalled = [PollFd::new(trigger, PollFlags::IN)];
        match poll(&mut signalled, Some(&timespec(limit))) {
            Ok(0) => Ok(0),
            Ok(_) | Err(Errno::INTR) => self.taken(vector),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until any vector is signalled, for [`Vectors::taken`] to tell which;
    /// false if `limit` passed.
    ///
    /// # Errors
    /// [`DriverError::Connection`].
    pub fn wait_any(&self, limit: Duration) -> Result<bool, DriverError> {
        let mut signalled: Vec<_> = self
            .triggers
            .iter()
            .map(|trigger| PollFd::new(trigger, PollFlags::IN))
            .collect();
        match poll(&mut signalled, Some(&timespec(limit))) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn timespec(limit: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    }
}

fn header(start: u32, count: u32, data: u32) -> SetIrqs {
    SetIrqs {
        argsz: irq_set::HEADER,
        flags: data | irq_set::ACTION_TRIGGER,
        index: irq::MSIX,
        start,
        count,
    }
}
