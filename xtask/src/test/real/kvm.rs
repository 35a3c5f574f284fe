// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM: its in-kernel APIC, and guest code that takes interrupts.

use super::{Part, Presence, WhenMissing};
use crate::bench::rows::{self, Row};
use crate::failure::Failure;
use crate::progress::Progress;
use serde_json::Value;
use std::fs::OpenOptions;
use std::path::Path;

/// The device node KVM is reached by.
const NODE: &str = "/dev/kvm";

/// Ways into KVM that raising is measured against: if they are there with
/// values, a VM took interrupts through both.
const NEIGHBOURS: [&str; 2] = ["irqfd write", "KVM_SIGNAL_MSI"];

pub(crate) const PART: Part = Part {
    name: "KVM",
    needs: "/dev/kvm, open to this user for reading and writing",
    when_missing: WhenMissing::Skip,
    probe: |_| probe(Path::new(NODE)),
    run,
};

fn probe(node: &Path) -> Presence {
    match OpenOptions::new().read(true).write(true).open(node) {
        Ok(_) => Presence::Available,
        Err(error) => Presence::Missing(format!("{}: {error}", node.display())),
    }
}

fn run(progress: &Progress) -> Result<(), Failure> {
    super::super::build_program(progress)?;
    let answer = super::super::program(&["bench", "core", "--quick", "--json"])?;
    check(&rows::read("core", &answer)?)?;
    let answer = super::super::program(&["run", "--on", "kvm", "--seconds", "2", "--json"])?;
    super::super::job::check(&answer)?;
    check_guests(&answer)
}

/// The default scenario's VMs on KVM: what guest code counted is what was sent.
fn check_guests(answer: &str) -> Result<(), Failure> {
    let report: Value = serde_json::from_str(answer).unwrap_or_default();
    let count = |of| {
        report
            .pointer(&format!("/guests/{of}"))
            .and_then(Value::as_u64)
    };
    match (count("sent"), count("counted")) {
        (Some(sent), Some(counted)) if sent == counted && sent > 0 => Ok(()),
        counts => Err(Failure::Form {
            what: "`ims run --on kvm --json`".to_owned(),
            why: format!(
                "guests.sent and guests.counted must be there, the same and not 0; they are \
                 {counts:?}; it answered:\n{answer}"
            ),
        }),
    }
}

fn check(rows: &[Row]) -> Result<(), Failure> {
    for wanted in NEIGHBOURS {
        // A row of its own, or what another row is compared with.
        let measured = rows.iter().any(|row| {
            let beside = row
                .neighbour
                .as_ref()
                .is_some_and(|other| other.name.contains(wanted) && other.value > 0.0);
            row.value.is_some_and(|value| value > 0.0) && (row.name == wanted || beside)
        });
        if !measured {
            return Err(Failure::Form {
                what: "`ims bench core --quick --json`".to_owned(),
                why: format!(
                    "KVM is there, yet no row with a positive value is or has the neighbour {wanted:?}; \
                     the neighbours were {:?}",
                    rows.iter()
                        .filter_map(|row| row.neighbour.as_ref())
                        .collect::<Vec<_>>()
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = r#"{"rows":[
        {"name":"raise","value":20.5,"unit":"ns","neighbour":{"name":"irqfd write","value":900.0}},
        {"name":"signal","value":700,"unit":"ns","neighbour":{"name":"KVM_SIGNAL_MSI","value":680}}
    ]}"#;

    fn checked(answer: &str) -> Result<(), Failure> {
        check(&rows::read("core", answer).unwrap())
    }

    #[test]
    fn both_ways_into_kvm_must_be_measured() {
        checked(BOTH).unwrap();
        for wanted in NEIGHBOURS {
            let failure = checked(&BOTH.replace(wanted, "pipe write"))
                .unwrap_err()
                .to_string();
            assert!(failure.contains(wanted), "{failure}");
        }
    }

    #[test]
    fn a_value_that_is_not_positive_is_no_measurement() {
        assert!(checked(&BOTH.replace("900.0", "0")).is_err());
        assert!(checked(&BOTH.replace("20.5", "-1")).is_err());
        assert!(check(&[]).is_err());
    }

    #[test]
    fn guests_must_have_counted_what_was_sent_to_them() {
        let report = |sent: i32, counted: i32| {
            check_guests(&format!(
                r#"{{"guests":{{"sent":{sent},"counted":{counted}}}}}"#
            ))
        };
        report(5, 5).unwrap();
        assert!(report(5, 4).is_err());
        assert!(report(0, 0).is_err());
        assert!(check_guests(r#"{"guests":null}"#).is_err());
        assert!(check_guests("").is_err());
    }

    #[test]
    fn a_node_that_does_not_open_is_missing_with_a_reason() {
        let Presence::Missing(reason) = probe(Path::new("/no/such/node")) else {
            panic!("opened");
        };
        assert!(reason.starts_with("/no/such/node: "), "{reason}");
    }
}
