// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine a measurement was made on.

use std::fs;
use std::num::NonZero;

/// What a reader needs to judge a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The CPU's model name.
    pub(crate) model: String,
    /// Logical CPUs this process may use.
    pub(crate) cpus: usize,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Whether the machine is itself virtual.
    pub(crate) is_virtual: bool,
}

impl Machine {
    /// This machine, as the kernel describes it.
    pub(crate) fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            model: model(&info).unwrap_or("unknown CPU").to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, NonZero::get),
            kernel: release.trim().to_owned(),
            is_virtual: is_virtual(&info),
        }
    }
}

fn field<'a>(info: &'a str, wanted: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim() == wanted).then_some(value.trim()))
}

fn model(info: &str) -> Option<&str> {
    // Arm's /proc/cpuinfo has no model name.
    field(info, "model name").or_else(|| field(info, "CPU part"))
}

fn is_virtual(info: &str) -> bool {
    field(info, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "processor\t: 0\nmodel\t\t: 106\nmodel name\t: Some CPU @ 2.90GHz\n\
                        flags\t\t: fpu vme hypervisor\n\nprocessor\t: 1\n";

    #[test]
    fn the_model_name_is_not_the_model_number() {
        assert_eq!(model(INFO), Some("Some CPU @ 2.90GHz"));
        assert_eq!(model("processor : 0\n"), None);
    }

    #[test]
    fn a_hypervisor_shows_in_the_flags() {
        assert!(is_virtual(INFO));
        assert!(!is_virtual(&INFO.replace(" hypervisor", "")));
    }

    #[test]
    fn this_machine_has_a_cpu() {
        assert!(Machine::here().cpus >= 1);
    }
}
