// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::super::field::{DISTURB, FIELDS, Field, Kind, Table};
use super::super::file::{self, Origins};
use super::super::{On, Scenario, StoreKind, capacity};
use super::{read, told};
use crate::given::Given;

/// A value in range for each field, as a file states it.
fn in_range(field: &'static Field) -> BoxedStrategy<String> {
    match &field.kind {
        Kind::Count {
            least,
            most,
            multiple,
            ..
        } => {
            let multiple = *multiple;
            (least / multiple..=most / multiple)
                .prop_map(move |value| (value * multiple).to_string())
                .boxed()
        }
        Kind::Seed(_) => any::<u64>().prop_map(|value| value.to_string()).boxed(),
        Kind::Seconds { least, most, .. } => (*least..=*most)
            .prop_map(|value| format!("{value:?}"))
            .boxed(),
        Kind::On(_) => prop::sample::select(On::ALL.to_vec())
            .prop_map(|on| format!("\"{}\"", on.name()))
            .boxed(),
        Kind::Store(_) => prop::sample::select(StoreKind::ALL.to_vec())
            .prop_map(|kind| format!("\"{}\"", kind.name()))
            .boxed(),
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i128>().prop_map(|value| value.to_string()),
        (-10i64..10_000).prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:?}")),
        "\"[a-z]{0,9}\"",
        "\\PC{0,20}",
        Just("[1, 2]".to_owned()),
        Just("{ a = 1 }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("0xffff_ffff".to_owned()),
        Just("true".to_owned()),
    ]
}

fn any_name() -> impl Strategy<Value = String> {
    let known = FIELDS.iter().map(|field| field.name).chain([DISTURB]);
    prop_oneof![
        4 => prop::sample::select(known.collect::<Vec<_>>()).prop_map(str::to_owned),
        1 => "[a-z.\"\\[\\]]{0,12}",
    ]
}

proptest! {
    /// Each field in a file of its own, so that nothing but its range decides.
    #[test]
    fn what_is_in_range_is_taken(
        (field, value) in prop::sample::select(FIELDS.iter().collect::<Vec<_>>())
            .prop_flat_map(|field| (Just(field), in_range(field)))
    ) {
        let (mut scenario, mut origins) = (Scenario::default(), Origins::new());
        let table = if field.table == Table::Disturb { "[disturb]\n" } else { "" };
        let text = format!("{table}{} = {value}", field.name);
        prop_assert!(file::parse("a.toml", &text, &mut scenario, &mut origins).is_ok(), "{text}");
        prop_assert_eq!(field.kind.text(&scenario).parse::<f64>().ok(), value.parse::<f64>().ok());

        let flagged = told(&[&format!("--{}", field.name), value.trim_matches('"')]);
        let fits = capacity::check(&scenario, &origins).is_ok();
        prop_assert_eq!(flagged.ok(), fits.then_some(scenario));
    }

    #[test]
    fn a_scenario_that_fits_is_taken(
        vms in 1u32..=64, vcpus in 1u32..=4096, queues in 1u32..=64, vectors in 1u32..=64,
        fill in 0.0f64..=1.0,
    ) {
        let each = queues * vectors;
        let most = (vcpus * 203 / each * vms).min(4_000_000 / each).min((1 << 20) - 1);
        prop_assume!(most > 0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let adis = ((f64::from(most) * fill) as u32).max(1);
        let text = format!(
            "vms = {vms}\nvcpus = {vcpus}\nadis = {adis}\nqueues = {queues}\nvectors = {vectors}"
        );
        let scenario = read(&text);
        prop_assert!(scenario.is_ok(), "{:?}", scenario);
        prop_assert_eq!(scenario.unwrap().interrupts(), u64::from(adis * each));
    }

    /// Whatever is taken is within every range, whatever the file says.
    #[test]
    fn a_hostile_scenario_is_an_error_and_never_a_panic(
        lines in prop::collection::vec((any_name(), any_value()), 0..5),
        disturb in any::<bool>(),
    ) {
        let mut text = if disturb { "[disturb]\n".to_owned() } else { String::new() };
        for (name, value) in lines {
            text.push_str(&format!("{name} = {value}\n"));
        }
        match read(&text) {
            Ok(scenario) => {
                prop_assert!(scenario.interrupts() <= capacity::MOST);
                for field in FIELDS {
                    let value = field.kind.text(&scenario);
                    let mut again = Scenario::default();
                    prop_assert!(field.kind.set(&mut again, Given::flag(&value)));
                }
            }
            Err(error) => prop_assert!(error.contains("a.toml:"), "{error}"),
        }
    }

    #[test]
    fn any_text_is_refused_or_read(text in "\\PC{0,200}") {
        let _ = read(&text);
        let _ = told(&["--vms", text.trim_start_matches('-')]);
    }
}
