//! Reads a `.env` file by the rules of Node's `dotenv`, since one file may serve both servers: `$` stands for itself,
//! an unquoted value may hold spaces and ends at `#`, and lines that assign nothing are passed over.

/// The assignments of a file, in order.
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    let mut rest = text;
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        let Some((name, value)) = assignment(line) else {
            rest = after;
            continue;
        };
        // A quoted value may go on over lines.
        let from_value = &rest[line.len() - value.len()..];
        if let Some((quoted, after_quote)) = quoted(from_value) {
            pairs.push((name.to_owned(), quoted));
            rest = split_line(after_quote).1;
        } else {
            let value = value.split('#').next().unwrap_or_default();
            pairs.push((name.to_owned(), value.trim().to_owned()));
            rest = after;
        }
    }
    pairs
}

fn split_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// The name and the text after `=`, without the space before it.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim_start);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (!name.is_empty() && name.chars().all(is_name)).then(|| (name, value.trim_start()))
}

/// The content of a value in quotes that are closed, and what follows them.
fn quoted(value: &str) -> Option<(String, &str)> {
    let quote = value.chars().next().filter(|c| "\"'`".contains(*c))?;
    let (content, after) = value[1..].split_once(quote)?;
    let content = if quote == '"' {
        content.replace("\\n", "\n").replace("\\r", "\r")
    } else {
        content.to_owned()
    };
    Some((content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let pairs = parse(text);
        assert_eq!(pairs.len(), 1, "{text:?} gave {pairs:?}");
        pairs[0].1.clone()
    }

    #[test]
    fn values_are_what_node_reads() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A = b c # why", "b c"),
            ("export A=b", "b"),
            ("A=pa$word", "pa$word"),
            ("A='b # c'", "b # c"),
            ("A=\"b\\nc\" # why", "b\nc"),
            ("A=`b\nc`\n", "b\nc"),
            ("A=\"open", "\"open"),
            ("A=b=c\r\n", "b=c"),
            ("A=", ""),
        ] {
            assert_eq!(value(line), expected, "{line:?}");
        }
    }

    #[test]
    fn lines_that_assign_nothing_are_passed_over() {
        let pairs = parse("# A=b\n\nno assignment\nA=1\n two words = 3\nB='2'\n");
        let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
    }
}
