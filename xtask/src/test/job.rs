// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the main job must answer: that every interrupt arrived, and where it
//! should.

use crate::failure::Failure;
use serde_json::Value;

/// Counts that must be there and zero.
const ZERO: [&str; 3] = ["lost", "astray", "misdirected"];

/// Checks what `ims run --json` printed.
///
/// # Errors
/// [`Failure::Form`], naming the field that is missing or wrong.
pub(crate) fn check(answer: &str) -> Result<(), Failure> {
    let wrong = |why: String| Failure::Form {
        what: "`ims run --json`".to_owned(),
        why: format!("{why}; it answered:\n{answer}"),
    };
    let report: Value =
        serde_json::from_str(answer).map_err(|error| wrong(format!("no JSON: {error}")))?;
    for field in ZERO {
        match report.get(field).and_then(Value::as_u64) {
            Some(0) => {}
            Some(count) => return Err(wrong(format!("{field} is {count}, must be 0"))),
            None => return Err(wrong(format!("no count named {field}"))),
        }
    }
    match report.get("ok").and_then(Value::as_bool) {
        Some(true) => Ok(()),
        Some(false) => Err(wrong("ok is false".to_owned())),
        None => Err(wrong("no field named ok".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"ok": true, "lost": 0, "astray": 0, "misdirected": 0, "raised": 12})
    }

    #[test]
    fn a_job_that_lost_nothing_passes() {
        check(&good().to_string()).unwrap();
        check(&format!("{:#}\n", good())).unwrap();
    }

    #[test]
    fn each_field_is_needed_and_must_be_right() {
        let wrong = json!({"ok": false, "lost": 1, "astray": 1, "misdirected": 1});
        for (field, value) in wrong.as_object().unwrap() {
            let mut report = good();
            report[field] = value.clone();
            let failure = check(&report.to_string()).unwrap_err().to_string();
            assert!(failure.contains(field.as_str()), "{failure}");

            report.as_object_mut().unwrap().remove(field);
            let failure = check(&report.to_string()).unwrap_err().to_string();
            assert!(failure.contains(field.as_str()), "{failure}");
        }
    }

    #[test]
    fn what_is_no_json_or_no_count_fails() {
        assert!(check("").is_err());
        assert!(check("ok").is_err());
        assert!(check("[]").is_err());
        assert!(check(&good().to_string().replace("\"lost\":0", "\"lost\":-1")).is_err());
        assert!(check(&good().to_string().replace("\"lost\":0", "\"lost\":\"0\"")).is_err());
    }
}
