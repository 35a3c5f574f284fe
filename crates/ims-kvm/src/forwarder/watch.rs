// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The set of eventfds that somebody may write, and what wakes its reader besides.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::{read, write};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use vmm_sys_util::eventfd::EventFd;

use crate::eventfd::descriptor;

/// Numbers in the set that are no line's: a slot's number has its generation, which is
/// not 0, in the high half.
const WAKE: u64 = 0;
const ALARM: u64 = 1;

/// What is told of an eventfd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// That there is something to read, as long as there is.
    Written,
    /// Each write, once.
    Writes,
}

/// An epoll set of eventfds, level-triggered.
///
/// An eventfd stays in the set from first to last. While KVM reads it, it is there
/// without an event to tell of: going from one to the other changes an entry, which
/// cannot fail for want of memory, as adding one could.
#[derive(Debug)]
pub(crate) struct Watch {
    set: OwnedFd,
    /// Written to end a wait.
    wake: OwnedFd,
    /// Ends a wait at a time.
    alarm: OwnedFd,
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        for (fd, number) in [(&wake, WAKE), (&alarm, ALARM)] {
            let data = epoll::EventData::new_u64(number);
            epoll::add(&set, fd, data, epoll::EventFlags::IN)?;
        }
        Ok(Self { set, wake, alarm })
    }

    /// Takes `eventfd` into the set, as `slot`. Told at once of what was written before.
    pub(crate) fn add(&self, eventfd: &EventFd, slot: u64, telling: Telling) -> io::Result<()> {
        let data = epoll::EventData::new_u64(slot);
        let flags = match telling {
            Telling::Written => epoll::EventFlags::IN,
            Telling::Writes => epoll::EventFlags::IN | epoll::EventFlags::ET,
        };
        Ok(epoll::add(&self.set, descriptor(eventfd), data, flags)?)
    }

    /// Whether to tell when it is written. Told at once of what was written before.
    pub(crate) fn tell(&self, eventfd: &EventFd, slot: u64, yes: bool) {
        let flags = match yes {
            true => epoll::EventFlags::IN,
            false => epoll::EventFlags::empty(),
        };
        let data = epoll::EventData::new_u64(slot);
        if let Err(errno) = epoll::modify(&self.set, descriptor(eventfd), data, flags) {
            tracing::error!(%errno, "an eventfd has left the set of watched ones");
        }
    }

    /// Takes it out.
    pub(crate) fn remove(&self, eventfd: &EventFd) {
        // It is in the set, or the set is of no use any more.
        let _ = epoll::delete(&self.set, descriptor(eventfd));
    }

    /// Ends a wait, now or the next.
    pub(crate) fn wake(&self) {
        // It fails only when it has been written 2^64 times unread: readable.
        let _ = write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Ends a wait in `after`.
    pub(crate) fn alarm(&self, after: Duration) {
        // All zero would turn the alarm off.
        let after = after.max(Duration::from_nanos(1));
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let Ok(value) = Timespec::try_from(after) else {
            return;
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        // The descriptor is a timer and the time is one.
        let _ = timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &once);
    }

    /// Waits until something is written, or for `timeout`, and puts the slots of
    /// what was into `slots`.
    pub(crate) fn wait(
        &self,
        events: &mut Vec<epoll::Event>,
        slots: &mut Vec<u64>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        events.clear();
        slots.clear();
        // One that is too long for the kernel is as good as none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&self.set, spare_capacity(events), timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
        for event in events.iter() {
            let data = event.data;
            match data.u64() {
                WAKE => self.clear(&self.wake),
                ALARM => self.clear(&self.alarm),
                slot => slots.push(slot),
            }
        }
        Ok(())
    }

    fn clear(&self, fd: &OwnedFd) {
        // Nothing to read: cleared already.
        let _ = read(fd, &mut [0; 8]);
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.set.as_fd()
    }
}
