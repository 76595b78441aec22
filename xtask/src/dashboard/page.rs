//! Makes what stands in the page itself small: its style, and the script that runs before the first paint. They stand
//! there so that the page shows itself with its first bytes.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{process, setup::DashboardTools, workspace::Workspace};

/// Minifies the style and the first script of the `index.html` in `dist`.
pub(super) fn minified(workspace: &Workspace, tools: &DashboardTools, dist: &Path) -> Result<()> {
    let file = dist.join("index.html");
    let mut page = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    for (element, language) in [("style", "css"), ("script", "js")] {
        let (start, end) = inline(&page, element).with_context(|| format!("the page has no {element}"))?;
        let text = workspace.target.join("dashboard").join(format!("inline.{language}"));
        fs::write(&text, &page[start..end]).with_context(|| text.display().to_string())?;
        let mut esbuild = tools.command(workspace, "esbuild");
        let minified = process::output(esbuild.arg(&text).arg("--minify"))?;
        page.replace_range(start..end, minified.trim_end());
    }
    fs::write(&file, page).with_context(|| file.display().to_string())
}

/// Where the text of the first such element lies.
fn inline(page: &str, element: &str) -> Option<(usize, usize)> {
    let tag = page.find(&format!("<{element}"))?;
    let start = tag + page[tag..].find('>')? + 1;
    Some((start, start + page[start..].find(&format!("</{element}>"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_its_kind_is_found() {
        let page = "<script>one()</script><style type=\"text/css\">p{}</style><script>two()</script>";
        let text = |element| inline(page, element).map(|(start, end)| &page[start..end]);
        assert_eq!(text("script"), Some("one()"));
        assert_eq!(text("style"), Some("p{}"));
        assert_eq!(text("main"), None);
    }
}
