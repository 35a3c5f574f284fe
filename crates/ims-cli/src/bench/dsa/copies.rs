// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bandwidth: copies by the device, beside copies of the same memory by a thread.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, Figure, in_turns, repeat};
use super::subject::Subject;
use ims_dsa::layout::{Descriptor, Flags, Opcode};
use std::cell::RefCell;
use vm_memory::{GuestAddress, GuestMemoryBackend};
use zerocopy::little_endian::{U32, U64};

/// Copies under way at a time: the device never waits for the next.
const AT_ONCE: usize = 8;

/// # Errors
/// What the driver says.
pub(super) fn rows(effort: Effort, subject: &mut Subject) -> Outcome<Vec<Row>> {
    [4 << 10, 64 << 10, 1 << 20]
        .into_iter()
        .map(|size| row(effort, subject, size))
        .collect()
}

fn row(effort: Effort, subject: &mut Subject, size: usize) -> Outcome<Row> {
    let mut copies = Vec::new();
    for place in 0..AT_ONCE {
        let source = subject.driver.arena.take(size, 0x1000)?.address;
        let target = subject.driver.arena.take(size, 0x1000)?.address;
        subject.driver.arena.write(source, &vec![0x5a; size])?;
        copies.push(Descriptor {
            source: U64::new(source),
            destination: U64::new(target),
            size: U32::new(u32::try_from(size)?),
            ..subject.descriptor(Opcode::MemoryMove, place, Flags::NONE)
        });
    }
    let subject = RefCell::new(subject);
    let [device, thread] = in_turns(
        effort,
        [
            &mut |length| {
                let mut subject = subject.borrow_mut();
                repeat(length, |watch| {
                    watch.time(AT_ONCE as u64, || {
                        subject.submit(&copies)?;
                        subject.wait(&copies)
                    })
                })
            },
            &mut |length| {
                let subject = subject.borrow_mut();
                repeat(length, |watch| {
                    watch.time(AT_ONCE as u64, || {
                        copies.iter().try_for_each(|copy| plain(&subject, copy))
                    })
                })
            },
        ],
    )?;
    let gib = |figure: Figure| size as f64 / figure.median / 1.073_741_824;
    Ok(
        Row::figure(format!("copy of {} KiB, 8 under way", size >> 10), device)
            .beside(Some(("copy by a thread", thread)))
            .note(format!("{:.2} GiB/s, {:.2}", gib(device), gib(thread))),
    )
}

/// The same copy by this thread, in the same memory.
fn plain(subject: &Subject, copy: &Descriptor) -> Outcome<()> {
    let memory = subject.driver.arena.memory();
    let length = usize::try_from(copy.size.get())?;
    let from = memory.get_slice(GuestAddress(copy.source.get()), length)?;
    let to = memory.get_slice(GuestAddress(copy.destination.get()), length)?;
    from.copy_to_volatile_slice(to);
    Ok(())
}
