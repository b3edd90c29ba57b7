"""Reports of runs: listen with `ReportRecorder`, `collect`, `write_report`."""

from dagtop.observe.report.collect import collect, collect_snapshot
from dagtop.observe.report.recorder import ReportRecorder
from dagtop.observe.report.schema import Report
from dagtop.observe.report.write import FORMATS, check_report_path, form_of, write_report

__all__ = [
    "FORMATS",
    "Report",
    "ReportRecorder",
    "check_report_path",
    "collect",
    "collect_snapshot",
    "form_of",
    "write_report",
]
