# The course's commands. Each one makes .venv first, if it is missing or out of date.
PYTHON ?= python3
PY := .venv/bin/python
# For commands that need no packages: that of .venv, if it is there
ANY_PYTHON = $(shell [ -x $(PY) ] && echo $(PY) || echo $(PYTHON))

# The same everywhere: no settings of one person's IPython or Matplotlib, no advice from pip
export IPYTHONDIR := $(CURDIR)/.venv/ipython
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export ORT_DISABLE_TELEMETRY := 1
# ... and no packages of another Python, which Anaconda or ROS may name
unexport PYTHONHOME PYTHONPATH
export PIP_USER := 0

# Linux without a display: print the URL, and start no text browser in the terminal
NO_BROWSER := $(if $(filter Linux,$(shell uname -s)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,--no-browser))

.PHONY: help lab doctor restore bench results best clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

lab: .venv/.installed  ## open the course in JupyterLab
	$(PY) -m jupyterlab --allow-root --ip=127.0.0.1 $(NO_BROWSER) --ServerApp.root_dir=. \
		--LabApp.default_url=/lab/tree/notebooks/01_data.ipynb

doctor:  ## check the installation; each problem comes with the command that solves it
	@$(ANY_PYTHON) -m mnist_helpers.doctor

restore:  ## bring the original notebook of a chapter back, and keep yours in work/: make restore CHAPTER=02
	@$(ANY_PYTHON) -m mnist_helpers.restore $(CHAPTER)

bench: .venv/.installed  ## time the training code and several processes against the report's code (four minutes)
	$(PY) benchmarks/speed.py
	$(PY) benchmarks/processes.py

results: .venv/.installed  ## train with several seeds what chapters 04 and 06 to 08 compare (an hour or more)
	$(PY) benchmarks/report_seeds.py
	$(PY) benchmarks/recipe_seeds.py
	$(PY) benchmarks/fast_seeds.py
	$(PY) benchmarks/time_to_accuracy.py

best: .venv/.installed  ## train chapter 07's long recipe with several seeds, and test it (up to an hour)
	$(PY) benchmarks/best.py

clean:  ## remove .venv and what the commands wrote; your progress in the exercises and your notebooks stay
	rm -rf .venv $(MADE)
	@[ ! -d artifacts ] || find artifacts -mindepth 1 -depth ! -name 'progress*.json' -delete

# The stamp is written last, so that a broken-off install is done again
.venv/.installed: pyproject.toml constraints.txt tools/jupyterlab_config.json tools/jupyterlab_overrides.json
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
		echo "$(PYTHON) is not there, is not Python 3.11 to 3.14, or lacks venv (Debian: apt install python3-venv);" \
			"to use another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m mnist_helpers.doctor --before-install
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PY) -m pip install -c constraints.txt -e . || { \
		echo "The installation stopped, for the reason that pip gives above; once it is mended (no network, or a proxy:" \
			"set HTTPS_PROXY), type the command again, or see docs/install.md"; exit 1; }
	@$(PY) -c 'import matplotlib.font_manager'
	@touch $@

# For authors and instructors: the students' copy (make handout) ends above this line

NOTEBOOKS ?=
NBVAL ?= --nbval
SIDE_BY_SIDE := -n auto --maxprocesses 4
MADE := handout handout.zip answers grades site lms slides colab mnist_helpers/locale/course.pot \
	.hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: check test test-all site site-serve lms slides run handout answers grade nbgrader catalogue model pictures

check: .venv/.dev-installed  ## in a minute or two: style, types, helpers and exercises
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest tests/unit tests/exercises $(SIDE_BY_SIDE) -m "not slow and not integration"

test: .venv/.dev-installed .venv/.site-installed  ## what CI runs: also the notebooks, the site, one chapter and all widgets in JupyterLab
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest notebooks tests $(NBVAL) --nbval-current-env --nbval-cell-timeout=600 \
		$(SIDE_BY_SIDE) --dist loadfile --no-loadscope-reorder

test-all: .venv/.dev-installed .venv/.site-installed  ## also what takes long: kills, full disks, every chapter in JupyterLab
	$(PY) -m pytest tests -m ""

site: .venv/.site-installed  ## build the course's site, into site/; INSTRUCTORS=1 adds the page with the answers
	$(PY) tools/build_site.py $(if $(INSTRUCTORS),--instructors)

site-serve: .venv/.installed  ## show the site in a browser of this machine
	$(PY) tools/serve_site.py

lms: .venv/.site-installed  ## write each chapter as one page for Moodle, Canvas and the like, into lms/
	$(PY) tools/chapter_files.py lms

slides: .venv/.site-installed  ## write each chapter as slides for the projector, into slides/
	$(PY) tools/chapter_files.py slides

run: .venv/.dev-installed  ## run the notebooks and store their outputs; NOTEBOOKS=notebooks/04_training.ipynb for one
	$(PY) tools/run_notebooks.py $(NOTEBOOKS)

handout: .venv/.dev-installed  ## copy the course for students, without outputs and solutions; CHAPTERS="01 02" for some
	$(PY) tools/copies.py handout $(CHAPTERS) $(CHAPTER)

answers: .venv/.dev-installed  ## solve every exercise and run the notebooks; CHAPTER=02 for one
	$(PY) tools/copies.py answers $(CHAPTERS) $(CHAPTER)

grade: .venv/.installed  ## grade submitted notebooks, into grades/: make grade SUBMISSIONS=folder
	$(PY) tools/grade.py $(if $(SUBMISSIONS),"$(SUBMISSIONS)") $(GRADE)

nbgrader: .venv/.dev-installed  ## export the exercises for nbgrader, into nbgrader_course/; CHAPTERS="01 02" for some
	$(PY) tools/nbgrader_export.py $(CHAPTERS) $(CHAPTER)

catalogue: .venv/.dev-installed  ## collect the texts of exercises, widgets and figures for translators
	$(PY) tools/collect_texts.py

model: .venv/.installed  ## export the networks that the site shows and the command uses, measure them, write the model card
	$(PY) benchmarks/calibration.py
	$(PY) tools/train_model.py
	$(PY) benchmarks/reading.py
	$(PY) benchmarks/deployment.py
	$(PY) tools/model_card.py

pictures: .venv/.site-installed  ## draw the pictures of Netron, the pad, links and the README again (needs Chromium)
	$(PY) tools/netron_svg.py
	$(PY) tools/pad_picture.py
	$(PY) tools/preview_picture.py
	$(PY) tools/readme_picture.py

# What checks and authors' tools need besides
.venv/.dev-installed: .venv/.installed
	$(PY) -m pip install -c constraints.txt -e '.[dev]'
	@touch $@

# What the site and the tests in a browser need besides
.venv/.site-installed: .venv/.installed docs/package-lock.json
	$(PY) -m pip install -c constraints.txt -e '.[site,browser]'
	@mkdir -p .venv/npm && cp docs/package.json docs/package-lock.json .venv/npm
	.venv/bin/npm ci --ignore-scripts --no-audit --no-fund --prefix .venv/npm
	@touch $@
