// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What interrupts of virtio cost a guest, by what carries the device: exits to set
//! them up, to mask, to move, to take; the same block device on the same file, driven
//! by guest code on the small KVM machine.

mod access;
mod disk;
mod exits;
mod guest;
mod lines;
mod measured;
mod rows;

use super::Outcome;
use super::progress::Progress;
use super::row::Row;
use super::still::Still;
use super::timing::Effort;
use ims_virtio::machine::Transport;

/// vCPUs that queues are spread over.
const VCPUS: u32 = 4;

/// How many queues, and so vectors but one.
const QUEUES: [u16; 5] = [1, 4, 16, 64, 256];

/// Steps of [`measure`].
pub(super) const PARTS: u64 = (QUEUES.len() * Transport::ALL.len()) as u64;

/// Everything.
///
/// # Errors
/// What could not be measured, but for a KVM that is not there: that is said in a
/// row.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Outcome<Vec<Row>> {
    let mut rows = lines::rows();
    if let Err(error) = Still::new() {
        let why = format!("no VM with /dev/kvm: {error}");
        rows.push(Row::skipped("exits of each transport", "exits", &why));
        return Ok(rows);
    }
    let mut measured = Vec::new();
    for queues in QUEUES {
        let mut all = Vec::new();
        for transport in Transport::ALL {
            progress.start(&format!("{}, {queues} queues", transport.name()));
            all.push((transport, measured::measure(effort, transport, queues)?));
            progress.advance();
        }
        measured.push((queues, all));
    }
    rows.extend(rows::rows(&measured));
    Ok(rows)
}
