"""Results from elsewhere: tables of anyone's runs, judged as a study is."""

from ablation.results.content import content_of
from ablation.results.judged import judge_table
from ablation.results.question import Question
from ablation.results.read import Table, read
from ablation.results.tidy import TIDY, tidy

__all__ = ["TIDY", "Question", "Table", "content_of", "judge_table", "read", "tidy"]
