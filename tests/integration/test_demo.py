"""tests/demo.sh --neutron from where fipd is built."""
import os
import subprocess

import pytest

from bird import SOURCE
from daemon import BUILD


@pytest.mark.slow
def test_everything_that_the_neutron_demonstration_says_is_true():
    done = subprocess.run(["/usr/bin/python3", f"{SOURCE}/tests/support/demo_neutron.py"], text=True,
                          capture_output=True, timeout=240, env={**os.environ, "FIPD_BUILD": BUILD})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "All of it was true." in done.stdout
