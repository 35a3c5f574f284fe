// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Faults, held against what was sent to provoke them.

use std::sync::atomic::Ordering;

use ims::remap::FaultReason;
use ims::store::Store;

use super::Verdict;
use crate::run::report::{Hostile, HostileKind, Report};

impl<S: Store> Verdict<'_, S> {
    /// Every fault must have been asked for, every hostile message have led to one.
    pub(super) fn hold_faults_against_what_was_sent(&mut self, report: &mut Report) {
        let hostile = &self.disturbed.hostile;
        for reason in FaultReason::ALL {
            let units = self
                .world
                .functions
                .iter()
                .map(|function| function.unit.data().faults());
            let counted: u64 = units.map(|faults| faults.counts().of(reason)).sum();
            let sent = hostile.faults.get(&reason).copied().unwrap_or(0);
            if counted > 0 {
                report.faults.insert(reason.to_string(), counted);
            }
            if counted != sent {
                self.failures.push(format!(
                    "{counted} faults \"{reason}\", but {sent} were provoked"
                ));
            }
        }
        let overflowed: u64 = self
            .world
            .functions
            .iter()
            .map(|function| function.unit.data().faults().counts().overflowed)
            .sum();
        report.faults_recorded = hostile.recorded;
        report.faults_overflowed = overflowed > 0;
        let provoked: u64 = hostile.faults.values().sum();
        if hostile.recorded + overflowed != provoked {
            let recorded = hostile.recorded;
            self.failures
                .push(format!("{recorded} faults recorded of {provoked} provoked"));
        }
        let reports: u64 = self
            .world
            .functions
            .iter()
            .map(|function| function.errors.reports.load(Ordering::Relaxed))
            .sum();
        if reports != hostile.device_reports {
            let provoked = hostile.device_reports;
            self.failures.push(format!(
                "devices reported {reports} errors, {provoked} were provoked"
            ));
        }
        // The device raised all but those that were raised past it.
        let device: u64 = self
            .world
            .functions
            .iter()
            .map(|function| function.statistics().interrupts)
            .sum();
        let raised = self.total.raiser.raised;
        if device + hostile.wrong_pasid_raises != raised {
            let past = hostile.wrong_pasid_raises;
            self.failures.push(format!(
                "{raised} raised, {device} by the device, {past} past it"
            ));
        }
        if self.total.raiser.refused != hostile.wrong_pasid_raises {
            let (refused, sent) = (self.total.raiser.refused, hostile.wrong_pasid_raises);
            self.failures
                .push(format!("{refused} raises refused, {sent} should have been"));
        }
        let kinds = hostile.attempts.iter().map(|(kind, attempts)| {
            let kind = (*kind).to_string();
            (
                kind,
                HostileKind {
                    sent: attempts.sent,
                    refused: attempts.refused,
                },
            )
        });
        report.hostile = Hostile {
            sent: hostile
                .attempts
                .values()
                .map(|attempts| attempts.sent)
                .sum(),
            refused: hostile
                .attempts
                .values()
                .map(|attempts| attempts.refused)
                .sum(),
            by_kind: kinds.collect(),
        };
    }
}
