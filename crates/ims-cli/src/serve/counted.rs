// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What devices report, as the control protocol says it.

use ims_dsa::adi::{self, AdiState, QueueReport};
use ims_dsa::front::QueueStatus;
use ims_dsa::physical;

use crate::control::message::{QueueStatistics, VectorStatistics};

/// What an enumeration's later members are called, which have no name here yet.
const UNKNOWN: &str = "unknown";

pub(super) fn state(state: AdiState) -> &'static str {
    match state {
        AdiState::Disabled => "disabled",
        AdiState::Enabled => "enabled",
        AdiState::Draining => "draining",
        AdiState::Halted => "halted",
        AdiState::Destroyed => "destroyed",
        _ => UNKNOWN,
    }
}

/// The one queue of a virtual device.
pub(super) fn interface_queue(report: &QueueReport) -> QueueStatistics {
    QueueStatistics {
        queue: 0,
        enabled: report.enabled,
        waiting: report.depth.into(),
        submitted: report.submitted,
        refused: report.refused,
        completed: Some(report.completed),
    }
}

/// Whether there is anything to say of a queue.
pub(super) fn was_used(queue: &QueueStatus) -> bool {
    queue.enabled || queue.submitted > 0 || queue.refused > 0
}

/// A queue of a physical function.
pub(super) fn function_queue(number: u32, queue: &QueueStatus) -> QueueStatistics {
    QueueStatistics {
        queue: number,
        enabled: queue.enabled,
        waiting: u64::try_from(queue.occupancy).unwrap_or(u64::MAX),
        submitted: queue.submitted,
        refused: queue.refused,
        completed: None,
    }
}

/// A vector of a virtual device.
pub(super) fn interface_vector(report: &adi::VectorReport) -> VectorStatistics {
    let kind = match report.kind {
        adi::VectorKind::Emulated => "emulated",
        adi::VectorKind::Ims => "ims",
        _ => UNKNOWN,
    };
    let target = report.target;
    VectorStatistics {
        kind: kind.to_owned(),
        vector: report.vector,
        index: report.index,
        handle: report.handle.map(u32::from),
        target: target.map(|it| format!("cpu {} vector {:#04x}", it.cpu, it.vector)),
        masked: report.masked,
        pending: report.pending,
        raised: report.raised,
        delivered: report.delivered,
        coalesced: report.coalesced,
        held: report.held,
        faulted: report.faulted,
        dropped: report.dropped,
        last_fault: None,
    }
}

/// An interrupt of a physical function: an MSI-X vector, or an entry of the store
/// that its client programs.
pub(super) fn function_vector(report: &physical::VectorReport) -> VectorStatistics {
    let (kind, index) = match report.kind {
        physical::VectorKind::Misc => ("misc", None),
        physical::VectorKind::MsiX => ("msi-x", None),
        physical::VectorKind::Ims => ("ims", Some(u32::from(report.index))),
    };
    let raises = &report.raises;
    VectorStatistics {
        kind: kind.to_owned(),
        vector: report.index.into(),
        index,
        handle: report.handle.map(u32::from),
        target: report
            .message
            .map(|message| format!("{:#x} {:#x}", message.address, message.data)),
        masked: report.masked,
        pending: report.pending,
        raised: raises.raised,
        delivered: raises.delivered,
        coalesced: raises.coalesced,
        held: raises.held,
        faulted: raises.refused,
        dropped: 0,
        last_fault: raises.last_refusal.map(|refusal| refusal.to_string()),
    }
}
