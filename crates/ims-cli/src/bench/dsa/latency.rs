// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a submission to the interrupt that tells its completion: through the
//! server, the engine, the store, the remap unit, a soft CPU and the eventfd.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns, repeat};
use super::subject::Subject;
use ims_dsa::layout::{Descriptor, Flags, Opcode};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use zerocopy::little_endian::U16;

const VECTOR: u16 = 1;
const LIMIT: Duration = Duration::from_secs(5);

/// # Errors
/// What the driver says.
pub(super) fn rows(effort: Effort, subject: &mut Subject) -> Outcome<Vec<Row>> {
    let descriptor = [Descriptor {
        handle: U16::new(subject.handle),
        ..subject.descriptor(Opcode::NoOp, 0, Flags::REQUEST_INTERRUPT)
    }];
    let echo = Echo::start()?;
    let [interrupt, pair] = in_turns(
        effort,
        [
            &mut |length| {
                repeat(length, |watch| {
                    watch.time(1, || {
                        subject.submit(&descriptor)?;
                        match subject.driver.vectors().wait(VECTOR, LIMIT)? {
                            1 => Ok(()),
                            count => Err(format!("{count} interrupts instead of one").into()),
                        }
                    })
                })
            },
            &mut |length| repeat(length, |watch| watch.time(1, || echo.round())),
        ],
    )?;
    Ok(vec![
        Row::figure("no-op, from submission to its interrupt", interrupt)
            .beside(Some(("eventfd to a thread and back", pair)))
            .note("four threads in turn: server, engine, soft CPU, driver"),
    ])
}

/// A thread that answers each signal by another.
struct Echo {
    there: Arc<OwnedFd>,
    back: Arc<OwnedFd>,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Echo {
    fn start() -> Outcome<Self> {
        let there = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let back = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (there, back, over) = (Arc::clone(&there), Arc::clone(&back), Arc::clone(&over));
            move || {
                let mut count = [0; 8];
                while read(&*there, &mut count).is_ok() && !over.load(Ordering::Relaxed) {
                    if write(&*back, &1u64.to_ne_bytes()).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self {
            there,
            back,
            over,
            thread: Some(thread),
        })
    }

    fn round(&self) -> Outcome<()> {
        write(&*self.there, &1u64.to_ne_bytes())?;
        read(&*self.back, &mut [0; 8])?;
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It reads that, or is gone.
        let _ = write(&*self.there, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
